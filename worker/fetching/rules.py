"""The operator's list as rules of connections: each address, redirect and resolved name is held against it."""

from dataclasses import dataclass, field

from seq2seq.fetching.addresses import AddressRules, shown
from seq2seq.fetching.failures import RefusedAddressError
from worker.allowed_inputs import AllowList
from worker.errors import ForbiddenInput
from worker.public_addresses import is_public


@dataclass(frozen=True)
class AllowedRules(AddressRules):
    """Lets connections lead where the operator has allowed it, and to the hosts `known` of a catalogue."""

    allowed: AllowList = field(default_factory=AllowList)
    known: tuple[str, ...] = ()

    @classmethod
    def by(cls, allowed: AllowList, known: tuple[str, ...] = ()) -> "AllowedRules":
        """Makes the rules. known: hosts of a catalogue that the operator has allowed, as in `AllowList.hosts`."""
        return cls((), allowed, known)

    @property
    def on_loopback(self) -> bool:
        """False: being on this machine gives an address no rights here."""
        return False

    def check_host(self, url: str, scheme: str, host: str, port: int) -> None:
        """Checks what is written in an address. Raises `RefusedAddressError`."""
        allowed = AllowList((*self.allowed.hosts, *self.known), self.allowed.private_hosts)
        try:
            allowed.check_host(scheme, host, port)
        except ForbiddenInput as error:
            raise RefusedAddressError(f"{shown(url)}: {error.detail}") from None

    def check_peer(self, host: str, address: str, port: int = 443) -> None:
        """Checks what a name leads to, before anything is sent there. Raises `RefusedAddressError`."""
        if not (self.allowed.is_private(host, port) or is_public(address)):
            raise RefusedAddressError(f"{host}: its name leads to no address that inputs are fetched from")
