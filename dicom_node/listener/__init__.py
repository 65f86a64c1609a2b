"""The DICOM service that objects are sent to: who may send, how much, and what is answered."""

from dicom_node.listener.pinned import require_pynetdicom

# Here, before a module asks another version for insides that it may not have.
require_pynetdicom()
