"""HTTP to an S3 store that stays where it was sent: aiobotocore's own follows redirects, to any address whatever."""

from __future__ import annotations

from typing import Any

from aiobotocore.httpsession import AIOHTTPSession

from include.objects.faults import Redirected

REDIRECTS = {301, 302, 303, 307, 308}


class StayingSession(AIOHTTPSession):  # type: ignore[misc]
    """Takes a redirect for a refusal.

    A store, or who speaks in its place, could else have this server ask addresses that only this server reaches; and
    botocore, told to go elsewhere again and again, would ask without end.
    """

    async def send(self, request: Any) -> Any:
        """Send a request and return the answer.

        Raises:
            Redirected: it is a redirect.
        """
        answer = await super().send(request)
        if answer.status_code in REDIRECTS:
            raise Redirected(str(answer.status_code))
        return answer

    async def _get_session(self, proxy_url: str | None) -> Any:
        return _Staying(await super()._get_session(proxy_url))


class _Staying:
    def __init__(self, session: Any) -> None:
        self._session = session

    def request(self, method: str, **more: Any) -> Any:
        return self._session.request(method, **more, allow_redirects=False)
