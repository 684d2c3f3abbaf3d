//! What clients discover: RFC 8414 about this server, RFC 9728 about the MCP endpoint.

use serde_json::{Value, json};

use crate::jwt::ALGORITHM_NAMES;
use crate::scope::Scopes;
use crate::server::AuthorizationServer;

impl AuthorizationServer {
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The resource identifier of the MCP endpoint.
    pub fn resource(&self) -> &str {
        self.settings.resources.canonical()
    }

    pub fn authorization_server_metadata(&self) -> Value {
        let at = |path: &str| self.settings.endpoint(path);
        let methods = json!([
            "none",
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt"
        ]);
        let confidential = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
        json!({
            "issuer": self.settings.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "registration_endpoint": at("/register"),
            "revocation_endpoint": at("/revoke"),
            "introspection_endpoint": at("/introspect"),
            "pushed_authorization_request_endpoint": at("/par"),
            "require_pushed_authorization_requests": false,
            "scopes_supported": Scopes::all().names(),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": ALGORITHM_NAMES,
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHM_NAMES,
            "introspection_endpoint_auth_methods_supported": confidential,
            "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHM_NAMES,
            "dpop_signing_alg_values_supported": ALGORITHM_NAMES,
            "client_id_metadata_document_supported": true,
            "authorization_response_iss_parameter_supported": true,
        })
    }

    pub fn protected_resource_metadata(&self) -> Value {
        json!({
            "resource": self.resource(),
            "authorization_servers": [self.settings.issuer],
            "scopes_supported": Scopes::all().names(),
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": ALGORITHM_NAMES,
            "resource_name": "Everything MCP server",
        })
    }
}
