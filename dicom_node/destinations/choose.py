"""From settings to destinations: what is configured, or the folder in the data folder."""

from __future__ import annotations

from dicom_node.destinations.folder import FolderDestination
from dicom_node.destinations.outcome import Destination
from dicom_node.settings import DestinationSettings, NodeSettings
from dicom_node.store.completions import Wanted
from dicom_node.store.folder import DataFolder

#: Name of the destination that is there without any being configured.
DEFAULT = "results"


class Destinations:
    """Every destination by its name.

    Parameters
    ----------
    settings : NodeSettings
        `destinations`, and the `peers` that they name.
    folder : DataFolder
        Holds the default destination.
    """

    def __init__(self, settings: NodeSettings, folder: DataFolder) -> None:
        default = DestinationSettings(name=DEFAULT, kind="folder", folder=folder.results)
        self._settings = settings
        self.configured = {chosen.name: chosen for chosen in settings.destinations or (default,)}

    def wanted(self, sender: str) -> list[Wanted]:
        """What each destination gets of a study that came from `sender` (AE title)."""
        return [
            Wanted(name, sender if chosen.peer == "sender" else "", chosen.objects)
            for name, chosen in self.configured.items()
        ]

    def open(self, name: str, peer: str) -> Destination | str:
        """A destination, for objects of one batch; or why there is none, in words."""
        chosen = self.configured[name]
        if chosen.kind == "folder":
            assert chosen.folder is not None, "the settings require it"
            return FolderDestination(chosen.folder)
        raise NotImplementedError(peer)
