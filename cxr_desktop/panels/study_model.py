"""The tree of patients, studies and images as a Qt model: rows are shown by the hundred, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QFont, QIcon, QImage, QPixmap

from cxr_desktop.panels.tips import tip
from cxr_desktop.state.browser import Browser, Patient, Study, group_of
from cxr_desktop.state.patient_text import file_name, image_line, several_line, study_line
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.workers.scan_messages import Listed

Index = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()
#: Rows of one parent that are shown at once; the panel asks for more when the last one becomes visible.
PAGE = 300
#: Thumbnails that are kept: many times what is visible.
_ICONS = 1000
#: Logical pixels: a thumbnail, or three lines.
ROW_HEIGHT = 54


@dataclass(frozen=True, slots=True)
class Node:
    """What a row shows: a patient, a study of theirs, or one record of a study."""

    patient: tuple[str, ...]
    study: str | None = None
    name: str | None = None


class StudyModel(QAbstractItemModel):
    """Patients, their studies, and the records of studies that have several; a study of one record is its row.

    Parameters
    ----------
    parent : QObject, optional
    icon_of : callable
        The icon for the kind of a record that has no thumbnail.
    """

    def __init__(self, icon_of: Callable[[str], QIcon], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.browser = Browser()
        self._icon_of = icon_of
        self._bold = QFont()
        self._bold.setBold(True)
        self._ids: dict[Node, int] = {}
        self._nodes: list[Node] = []
        self._rows: dict[tuple[str, ...], int] = {}
        self._shown: dict[Node | None, int] = {}
        self._icons: dict[str, QIcon | None] = {}
        self._answers: dict[str, str] = {}
        self._answered: set[str] = set()

    def add(self, listed: Listed) -> None:
        """Take in what was listed."""
        self._answered.update(listed.answered)
        for record in listed.records:
            known = self.browser.record(record.name)
            if known is not None:  # the file may have been replaced
                self._icons.pop(record.name, None)
                if known != record:
                    self._answers.pop(record.name, None)
        self._change(lambda: self.browser.add(listed.records, listed.searched))

    def remove(self, names: Iterable[str]) -> None:
        """Take records out of the list."""
        self._change(lambda: self.browser.remove(names))

    def find(self, words: Sequence[str]) -> None:
        """Show what contains every word."""
        self._shown.clear()
        self._change(lambda: self.browser.find(words))

    def clear(self) -> None:
        """Forget everything."""
        self.beginResetModel()
        self.browser.clear()
        for kept in (self._ids, self._nodes, self._rows, self._shown, self._icons, self._answers, self._answered):
            kept.clear()
        self.endResetModel()

    def set_answer_state(self, name: str, words: str) -> None:
        """Show beside a record what became of it; "" takes it away.

        By its name: files that bear the same SOP Instance UID need not have the same pixels.
        """
        self._answers[name] = words
        record = self.browser.record(name)
        if record is not None:
            self._tell(record)

    def set_thumbnail(self, name: str, image: QImage) -> None:
        """Show the small picture of a record; a null image says that there is none."""
        icon = None
        if not image.isNull():
            pixmap = QPixmap.fromImage(image)
            icon = QIcon(pixmap)
            icon.addPixmap(pixmap, QIcon.Mode.Selected)  # else the style tints a selected row's picture
        self._icons[name] = icon
        if len(self._icons) > _ICONS:
            del self._icons[next(iter(self._icons))]
        record = self.browser.record(name)
        if record is not None:
            self._tell(record)

    def wants_thumbnail(self, record: InstanceRecord) -> bool:
        """Whether a record could have a small picture and none was made."""
        return record.rows > 0 and record.kind in ("image", "result") and record.name not in self._icons

    def record(self, index: Index) -> InstanceRecord | None:
        """What is opened of a row: its record, the first of a study, the first of a patient's newest study."""
        found = self._found(index)
        if found is None:
            return None
        patient, study, record = found
        return record or (study or patient.studies[0]).records[0]

    def records(self, index: Index) -> list[InstanceRecord]:
        """All records of a row."""
        found = self._found(index)
        if found is None:
            return []
        patient, study, record = found
        if record is not None:
            return [record]
        return [one for each in ([study] if study else patient.studies) for one in each.records]

    def key(self, index: QModelIndex) -> tuple[str, ...]:
        """What a row of a patient or a study is known by, however the tree changes."""
        node = self._nodes[index.internalId()]
        return node.patient if node.study is None else (*node.patient, node.study)

    def index_of(self, record: InstanceRecord) -> QModelIndex:
        """The row of a record; invalid where it is not shown."""
        return self._index(Node(group_of(record), record.study_key, record.name))

    def index(self, row: int, column: int, parent: Index = _NONE) -> QModelIndex:
        """Qt's."""
        if column != 0 or not 0 <= row < self.rowCount(parent):
            return QModelIndex()
        if not parent.isValid():
            return self.createIndex(row, 0, self._id(Node(self.browser.patients[row].key)))
        found = self._found(parent)
        assert found is not None, "a parent with rows is there"
        patient, study, _ = found
        if study is None:
            return self.createIndex(row, 0, self._id(Node(patient.key, patient.studies[row].key)))
        return self.createIndex(row, 0, self._id(Node(patient.key, study.key, study.records[row].name)))

    def parent(self, index: Index = _NONE) -> QModelIndex:  # type: ignore[override]  # QObject's has no argument
        """Qt's."""
        if not index.isValid():
            return QModelIndex()
        node = self._nodes[index.internalId()]
        if node.study is None:
            return QModelIndex()
        return self._index(Node(node.patient) if node.name is None else Node(node.patient, node.study))

    def rowCount(self, parent: Index = _NONE) -> int:
        """Qt's: as many as are shown so far."""
        total = len(self._children(parent))
        return min(total, self._shown.get(self._page_key(parent), PAGE))

    def columnCount(self, parent: Index = _NONE) -> int:
        """Qt's."""
        return 1

    def hasChildren(self, parent: Index = _NONE) -> bool:
        """Qt's."""
        return bool(self._children(parent))

    def has_more(self, parent: Index) -> bool:
        """Whether a parent has rows that are not shown yet.

        Not Qt's canFetchMore: a tree view would fetch a page with every change, until all are shown.
        """
        return self.rowCount(parent) < len(self._children(parent))

    def show_more(self, parent: QModelIndex) -> None:
        """Show the next rows of a parent."""
        first = self.rowCount(parent)
        behind = min(first + PAGE, len(self._children(parent)))
        self.beginInsertRows(parent, first, behind - 1)
        self._shown[self._page_key(parent)] = behind
        self._number_rows()
        self.endInsertRows()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's: lines of text, a thumbnail or the icon of the kind, the full reason as tool tip."""
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, ROW_HEIGHT)
        found = self._found(index)
        if found is None:
            return None
        patient, study, record = found
        if role == Qt.ItemDataRole.DisplayRole:
            return "\n".join(self._lines(patient, study, record))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ". ".join(self._lines(patient, study, record))
        if role == Qt.ItemDataRole.FontRole and study is None:
            return self._bold
        if role == Qt.ItemDataRole.DecorationRole and study is not None:
            shown = record or study.records[0]
            return self._icons.get(shown.name) or self._icon_of(shown.kind)
        if role == Qt.ItemDataRole.ToolTipRole:
            more = [] if record is None else [record.reason, record.name]
            return tip("\n".join(line for line in (*self._lines(patient, study, record), *more) if line))
        return None

    def _lines(self, patient: Patient, study: Study | None, record: InstanceRecord | None) -> list[str]:
        if study is None:
            return [line for line in (patient.title, patient.details, patient.warning) if line]
        if record is None:
            return [study_line(study.records[0]), several_line(study.records)]
        first = file_name(record) if record.kind == "failed" or not record.study_date else study_line(record)
        lines = [first] if len(study.records) == 1 else []
        if record.kind == "failed":
            return [*(lines or [file_name(record)]), self.tr("Cannot be read"), record.reason.partition(";")[0]]
        before = self.tr("Answered before") if record.key in self._answered else self.tr("Not analysed")
        answer = self._answers.get(record.name) or before
        return [*lines, image_line(record), answer if record.kind == "image" else record.reason]

    def _tell(self, record: InstanceRecord) -> None:
        """Tell the view that the row of a record, and of its study, has changed, where they are shown."""
        index = self.index_of(record)
        for changed in (index, index.parent()):
            if changed.isValid():
                self.dataChanged.emit(changed, changed)

    def _change(self, work: Callable[[], None]) -> None:
        """Change the tree; what is selected or expanded stays so, wherever it has come to."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        nodes = [self._nodes[index.internalId()] for index in before]
        work()
        self._number_rows()
        self.changePersistentIndexList(before, [self._index(node) for node in nodes])
        self.layoutChanged.emit()

    def _number_rows(self) -> None:
        self._rows = {patient.key: row for row, patient in enumerate(self.browser.patients[: self.rowCount()])}

    def _index(self, node: Node) -> QModelIndex:
        """The index of a node; of a study's only record, that of the study; invalid where it is not shown any more."""
        row = self._rows.get(node.patient)
        if row is None:
            return QModelIndex()
        if node.study is not None:
            studies = self.browser.patients[row].studies
            row = next((place for place, study in enumerate(studies) if study.key == node.study), -1)
            if node.name is not None and row >= 0:
                records = studies[row].records
                place = next((place for place, record in enumerate(records) if record.name == node.name), -1)
                if len(records) > 1 or place < 0:
                    row = place
                else:
                    node = Node(node.patient, node.study)
        return self.createIndex(row, 0, self._id(node)) if row >= 0 else QModelIndex()

    def _found(self, index: Index) -> tuple[Patient, Study | None, InstanceRecord | None] | None:
        """What a row shows; of a study with one record, that record as well."""
        if not index.isValid():
            return None
        node = self._nodes[index.internalId()]
        row = self._rows.get(node.patient)
        if row is None:
            return None
        patient = self.browser.patients[row]
        if node.study is None:
            return patient, None, None
        # The place is the row, unless the tree has changed and a view still asks with what it had.
        place = index.row() if node.name is None else -1
        if not (0 <= place < len(patient.studies) and patient.studies[place].key == node.study):
            place = next((i for i, study in enumerate(patient.studies) if study.key == node.study), -1)
        if place < 0:
            return None
        study = patient.studies[place]
        if node.name is not None:
            record = next((record for record in study.records if record.name == node.name), None)
            return None if record is None else (patient, study, record)
        return patient, study, study.records[0] if len(study.records) == 1 else None

    def _children(self, parent: Index) -> Sequence[object]:
        if not parent.isValid():
            return self.browser.patients
        found = self._found(parent)
        if found is None:
            return ()
        patient, study, record = found
        if study is None:
            return patient.studies
        return () if record is not None else study.records

    def _page_key(self, parent: Index) -> Node | None:
        return self._nodes[parent.internalId()] if parent.isValid() else None

    def _id(self, node: Node) -> int:
        number = self._ids.get(node)
        if number is None:
            number = self._ids[node] = len(self._nodes)
            self._nodes.append(node)
        return number
