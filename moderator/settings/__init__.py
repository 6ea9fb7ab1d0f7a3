"""Settings: what can be set, where it is read from, and how it is shown."""

from moderator.settings.console import ConsoleSettings
from moderator.settings.load import load_settings, settings_from
from moderator.settings.parts import (
    Compression,
    DeadLettersSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    ModelSettings,
    PoliciesSettings,
    ReadingSettings,
    RedisSettings,
    Settings,
    WindowSettings,
)
from moderator.settings.show import effective_settings, settings_table

__all__ = [
    "Compression",
    "ConsoleSettings",
    "DeadLettersSettings",
    "HttpSettings",
    "KafkaSettings",
    "LogSettings",
    "ModelSettings",
    "PoliciesSettings",
    "ReadingSettings",
    "RedisSettings",
    "Settings",
    "WindowSettings",
    "effective_settings",
    "load_settings",
    "settings_from",
    "settings_table",
]
