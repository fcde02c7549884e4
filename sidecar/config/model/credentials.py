"""Keys that the sidecar itself uses at a broker."""

from typing import Literal

from pydantic import Field, SecretStr

from sidecar.config.model.parts import File, Part


class Credentials(Part):
    """Keys that the sidecar itself uses at a broker. Values come from the environment alone; a file names files."""

    use: Literal["sign", "lookup"] = Field(
        "sign",
        description="sign: every request is signed here, so that bots need no keys; lookup: bots sign, and these keys, "
        "which may be read-only, only find out what became of an order.",
    )
    key: SecretStr | None = Field(None, description="API key; only from the environment.")
    key_file: File | None = Field(None, description="File with the API key.")
    secret: SecretStr | None = Field(None, description="Secret of HMAC signatures; only from the environment.")
    secret_file: File | None = Field(None, description="File with the secret of HMAC signatures.")
    private_key_file: File | None = Field(None, description="File with an Ed25519 private key in PEM, unencrypted.")
    token: SecretStr | None = Field(None, description="Bearer token (OANDA); only from the environment.")
    token_file: File | None = Field(None, description="File with the bearer token (OANDA).")
    user_name: SecretStr | None = Field(
        None, description="Name of the user whose API key it is (ProjectX); may stand here."
    )
    user_name_file: File | None = Field(None, description="File with the user's name (ProjectX).")
    add_client_ids: bool = Field(
        True, description="Where the sidecar signs: give an order without a client id one, to find it by."
    )

    @property
    def given(self) -> frozenset[str]:
        """The names of the keys that are set: values and files."""
        return frozenset(name for name in SECRET_KEYS if getattr(self, name) is not None)

    @property
    def signs(self) -> bool:
        """Whether bots' requests are signed here."""
        return self.use == "sign" and bool(self.given)


SECRET_KEYS = (
    *("key", "key_file", "secret", "secret_file", "private_key_file", "token", "token_file"),
    *("user_name", "user_name_file"),
)
"""The keys of `Credentials` that hold a secret, or name its file."""
