"""The tools of one view: chosen by the name of their command, with the measurements that they draw."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Angle, CardiothoracicRatio, CobbAngle, Ellipse, Length, Rectangle
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.tools.drawing import CalibrateTool, DrawTool
from cxr_desktop.tools.layer import MeasurementLayer
from cxr_desktop.tools.magnifier import MagnifierTool
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.tools.navigation import PanTool, WindowTool, ZoomTool
from cxr_desktop.tools.pointing import ProbeTool, SelectTool
from cxr_desktop.tools.tool import BaseTool
from cxr_desktop.views.image_view import ImageView


class Toolbox(QObject):
    """All tools of one view; one of them has the left button and the keys.

    Signals: hintChanged(str), words on what the next click or key does.
    """

    hintChanged = Signal(str)

    def __init__(self, view: ImageView) -> None:
        super().__init__(view)
        self._view = view
        self.layer = layer = MeasurementLayer(view)
        tools: list[BaseTool] = [
            WindowTool(layer),
            PanTool(layer),
            ZoomTool(layer),
            MagnifierTool(layer),
            ProbeTool(layer),
            SelectTool(layer),
            DrawTool(layer, "tool_length", Length, (2,)),
            DrawTool(layer, "tool_angle", Angle, (3,)),
            DrawTool(layer, "tool_cobb", CobbAngle, (2, 2)),
            DrawTool(layer, "tool_rectangle", Rectangle, (2,)),
            DrawTool(layer, "tool_ellipse", Ellipse, (2,)),
            DrawTool(layer, "tool_ctr", CardiothoracicRatio, (2, 1, 1, 2)),
            CalibrateTool(layer),
        ]
        self._tools = {tool.name: tool for tool in tools}
        for tool in tools:
            tool.hintChanged.connect(self.hintChanged)
        view.imageChanged.connect(self._image_changed)
        view.cursorMoved.connect(self._cursor_moved)
        self.choose("tool_window")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all tools."""
        return tuple(self._tools)

    @property
    def tool(self) -> BaseTool:
        """The one that is chosen."""
        return self._tool

    def choose(self, name: str) -> None:
        """Give a tool the left button and the keys; what another one had begun is given up."""
        self._tool = self._tools[name]
        self._view.set_tool(self._tool)
        self._tool.begin()

    def set_model(self, model: MeasurementModel | None) -> None:
        """Show and draw measurements of the image that the view shows; None of none."""
        self._tool.cancel(self._view)
        self.layer.set_model(model)

    def delete_selected(self) -> None:
        """Delete the selected measurement, if there is one."""
        model = self.layer.model
        if model is not None and model.selected is not None:
            model.remove(model.selected.id)

    def _image_changed(self, loaded: LoadedImage | None) -> None:
        """Measurements of another image are not shown over this one."""
        model = self.layer.model
        if model is not None and model.loaded is not loaded:
            self.layer.set_model(None)

    def _cursor_moved(self, point: PixelPoint | None) -> None:
        if point is None:
            self.layer.mouse_left()
