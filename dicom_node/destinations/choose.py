"""From settings to destinations: what is configured, or the folder in the data folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_core.errors import SettingsError
from dicom_node.destinations.folder import FolderDestination
from dicom_node.destinations.outcome import Destination
from dicom_node.settings import DestinationSettings, NodeSettings, PeerSettings
from dicom_node.store.completions import Wanted
from dicom_node.store.folder import DataFolder

if TYPE_CHECKING:
    from dicom_node.peers import Peer

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
        self._folder = folder
        self.configured = {chosen.name: chosen for chosen in settings.destinations or (default,)}

    @property
    def elsewhere(self) -> list[str]:
        """Names of those that keep results outside of the data folder."""
        inside = (self._folder.root.resolve(), self._folder.results.resolve())
        return [
            name
            for name, chosen in self.configured.items()
            if chosen.kind != "folder"
            or not any(Path(str(chosen.folder)).resolve().is_relative_to(one) for one in inside)
        ]

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
        try:
            return self._service(chosen) if chosen.kind == "stow" else self._peer(chosen, peer or str(chosen.peer))
        except SettingsError as error:
            return str(error)

    def _service(self, chosen: DestinationSettings) -> Destination | str:
        # Loaded when something is sent: a node that writes into a folder calls nobody.
        from dicom_node.destinations.stow import StowDestination
        from dicom_node.peers import WebService

        token = None
        if chosen.token_variable is not None:
            token = os.environ.get(chosen.token_variable)
            if token is None:
                return f"the environment variable {chosen.token_variable} is not set"
        service = WebService(str(chosen.url), token, chosen.ca, chosen.certificate, chosen.key)
        return StowDestination(service, may_ask=chosen.ask_before_repeat)

    def _peer(self, chosen: DestinationSettings, ae_title: str) -> Destination | str:
        from dicom_node.destinations.dicom import DicomDestination

        peer = self._settings.peer(ae_title)
        if peer is None or peer.port is None:
            return f"no peer {ae_title} with a port is listed; list it under [[peers]]"
        return DicomDestination(called(peer), self._settings.listener.ae_title, may_ask=chosen.ask_before_repeat)


def called(peer: PeerSettings) -> Peer:
    """A listed peer, as it is called. It has a port."""
    from dicom_node.peers import Peer, TlsClient

    assert peer.port is not None, "a mere sender is not called"
    tls = TlsClient(peer.tls_ca, peer.tls_certificate, peer.tls_key) if peer.tls else None
    return Peer(peer.ae_title, peer.host, peer.port, tls)
