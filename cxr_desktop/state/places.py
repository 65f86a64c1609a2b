"""Where the viewer keeps what it keeps: settings, index, log, all in the user's own folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_NAME = "cxr-assistant"


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one user."""

    settings_file: Path
    window_file: Path
    """Where windows and docks stood (QSettings)."""

    index_file: Path
    log_file: Path

    @classmethod
    def of_user(cls) -> Places:
        """By the conventions of the system."""
        from platformdirs import user_config_path, user_data_path, user_log_path

        config = user_config_path(_NAME) / "viewer"
        return cls(
            config / "settings.json",
            config / "window.ini",
            user_data_path(_NAME) / "viewer" / "index.sqlite",
            user_log_path(_NAME) / "viewer.log",
        )
