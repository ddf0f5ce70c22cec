"""The keys of the server's settings, which serve everybody; only admins may test them, and nobody sees them."""

from __future__ import annotations

from dataclasses import dataclass

from optimus.auth.permissions import Action, authorize
from optimus.llm_handler.catalogue import ProviderEntry
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import ConnectionTest
from optimus.models import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKeys:
    """What an admin can ask about them."""

    models: ModelGateway

    def providers(self, principal: Principal) -> list[ProviderEntry]:
        """Return the providers that the settings set up.

        Raises:
            PermissionDeniedError: the principal does not run Optimus.
        """
        authorize(principal, Action.MANAGE_SYSTEM)
        return self.models.shared_providers()

    def test(self, principal: Principal, provider: str) -> ConnectionTest:
        """Call a provider with its key, and say what works or exactly what is wrong.

        Raises:
            PermissionDeniedError: the principal does not run Optimus.
        """
        authorize(principal, Action.MANAGE_SYSTEM)
        result = self.models.test_shared(provider)
        if result.ok:
            self.models.breakers.note((provider, None), None)
        return result
