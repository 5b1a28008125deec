"""Uses the endpoint at SCIM_URL as a client of a library written by others (Authlib), by client credentials of the token SCIM_TOKEN.

The library gets access tokens by each way of authentication, uses one for a user's life, and gets another one when the old one has expired.
"""

import os
import sys
import uuid

from authlib.integrations.requests_client import OAuth2Session

URL, TOKEN = os.environ["SCIM_URL"], os.environ["SCIM_TOKEN"]
TOKEN_URL = URL + "/oauth2/token"
CLIENT_ID = TOKEN.split("_")[1]


def session(method, secret=TOKEN):
    return OAuth2Session(CLIENT_ID, secret, token_endpoint=TOKEN_URL, token_endpoint_auth_method=method, grant_type="client_credentials")


def expect(holds, sentence):
    if not holds:
        sys.exit(f"oauth_client.py: {sentence}")


def use(client):
    """Creates a user, reads it, and deletes it."""
    name = f"{uuid.uuid4()}@example.com"
    created = client.post(URL + "/Users", json={"userName": name})
    expect(created.status_code == 201, f"POST: {created.status_code} {created.text}")
    user = f"{URL}/Users/{created.json()['id']}"
    expect(client.get(user).json()["userName"] == name, "the user cannot be read")
    expect(client.delete(user).status_code == 204, "the user cannot be deleted")


def main():
    for method in ("client_secret_basic", "client_secret_post"):
        client = session(method)
        token = client.fetch_token()
        expect(token["token_type"] == "Bearer" and token["expires_in"] == 3600, f"unexpected: {sorted(token)}")
        use(client)
        # As the library sees it when the hour is over.
        client.token = {**token, "expires_at": 1}
        use(client)
        expect(client.token["access_token"] != "" and client.token["expires_at"] > 1, "the library has got no other token")
    refused = session("client_secret_basic", "wrong")
    try:
        refused.fetch_token()
        sys.exit("oauth_client.py: a wrong secret got a token")
    except Exception as error:
        expect(getattr(error, "error", None) == "invalid_client", f"a wrong secret: {error!r}")
    print("authlib: tokens by HTTP Basic and in the body, used, replaced, and refused for a wrong secret")


if __name__ == "__main__":
    main()
