"""What every group of settings is: frozen, and with no keys but its own."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """One group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
