"""Logging in by OAuth from a bare URL: the SDK speaks the protocol, and a browser without a screen follows the pages."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from . import expect

# Nobody listens there: the browser stops where it is sent there.
REDIRECT_URI = "http://127.0.0.1:8977/callback"
STEPS = 12


class Forgetful:
    """Token storage for one run."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Login:
    def __init__(
        self, url: str, user: str, client_id: str | None = None, metadata_url: str | None = None
    ) -> None:
        self.user = user
        self.client_id = client_id or metadata_url
        self.storage = Forgetful()
        self.landed: str | None = None
        metadata = OAuthClientMetadata(
            client_name="everything_client",
            redirect_uris=[REDIRECT_URI],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",
        )
        if client_id:
            self.storage.client = OAuthClientInformationFull(client_id=client_id, **metadata.model_dump())
        self.provider = OAuthClientProvider(
            server_url=url,
            client_metadata=metadata,
            storage=self.storage,
            redirect_handler=self.open_browser,
            callback_handler=self.callback,
            client_metadata_url=metadata_url,
        )

    async def open_browser(self, url: str) -> None:
        """Does what pages and redirects say until one leads to the client."""
        async with httpx2.AsyncClient(follow_redirects=False) as browser:
            request = browser.build_request("GET", url)
            for _ in range(STEPS):
                response = await browser.send(request)
                if response.is_redirect:
                    url = urljoin(str(response.url), response.headers["location"])
                    if url.startswith(REDIRECT_URI):
                        self.landed = url
                        return
                    request = browser.build_request("GET", url)
                    continue
                expect.equal(response.status_code, 200, f"page {response.url}: {response.text}")
                request = self.submit(browser, response)
        raise AssertionError(f"the login goes round in circles, last at {url}")

    def submit(self, browser: httpx2.AsyncClient, page: httpx2.Response) -> httpx2.Request:
        form = Form(page.text)
        values = {name: self.user if name == "user_id" else value for name, value in form.fields}
        values.update([button for button in form.buttons if button[1] != "deny"][:1])
        target = urljoin(str(page.url), form.action)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(target))
        return browser.build_request("POST", target, data=values, headers={"origin": origin})

    async def callback(self) -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(self.landed or "").query)
        expect.true("code" in query, f"no code in {self.landed}")
        return AuthorizationCodeResult(
            code=query["code"][0],
            state=query.get("state", [None])[0],
            iss=query.get("iss", [None])[0],
        )

    def was_used(self) -> None:
        expect.true(self.storage.client, "no client was registered")
        if self.client_id:
            expect.equal(self.storage.client.client_id, self.client_id, "client id")
        tokens = self.storage.tokens
        expect.true(tokens and tokens.access_token and tokens.refresh_token, "no tokens were issued")
        expect.equal(tokens.token_type.lower(), "bearer", "token type")


class Form(HTMLParser):
    """The first form of a page that posts: its action, inputs and buttons."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: list[tuple[str, str]] = []
        self.buttons: list[tuple[str, str]] = []
        self.closed = False
        self.feed(page)
        expect.true(self.action is not None, f"no form in {page}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None and attributes.get("method", "").lower() == "post":
            self.action = attributes.get("action", "")
        elif self.action is None or self.closed or not attributes.get("name"):
            return
        elif tag == "button" or attributes.get("type") == "submit":
            self.buttons.append((attributes["name"], attributes.get("value", "")))
        elif tag == "input":
            self.fields.append((attributes["name"], attributes.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        self.closed = self.closed or (tag == "form" and self.action is not None)
