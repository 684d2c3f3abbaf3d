use super::*;

fn problems(config: &EdgeConfig) -> Vec<&'static str> {
    config.check().unwrap_err().0.iter().map(|bad| bad.name).collect()
}

#[test]
fn the_defaults_serve_localhost() {
    let settings = EdgeConfig::default().check().unwrap();
    assert_eq!(settings.listen_address(), "127.0.0.1:3232");
    assert_eq!(settings.base.join("/mcp"), "http://localhost:3232/mcp");
    assert_eq!(settings.auth, AuthMode::Internal);
    assert_eq!(settings.limits.body_bytes, 4 * 1024 * 1024);
}

#[test]
fn the_flags_default_to_what_default_says() {
    use clap::Parser;
    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        edge: EdgeConfig,
    }
    // The environment could say otherwise for HOST and the like; those who set them see these two compared.
    if ["HOST", "PORT", "BASE_URI", "AUTH_MODE"]
        .iter()
        .all(|name| std::env::var_os(name).is_none())
    {
        let parsed = Cli::try_parse_from(["edge"]).unwrap().edge;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", EdgeConfig::default()));
    }
}

#[test]
fn every_bad_setting_is_named_at_once() {
    let config = EdgeConfig {
        host: String::new(),
        port: "70000".into(),
        base_uri: Some("ftp://x".into()),
        auth_mode: "off".into(),
        allowed_hosts: "a b".into(),
        allowed_origins: "nonsense".into(),
        trusted_proxies: "10.0.0.0/99".into(),
        max_body_bytes: "0".into(),
        max_header_bytes: "100".into(),
        max_connections: "-1".into(),
        header_timeout_secs: "0".into(),
        token_cache_secs: "61".into(),
        sse_keep_alive_secs: "NaN".into(),
        ..EdgeConfig::default()
    };
    let mut names = problems(&config);
    names.sort_unstable();
    let mut expected = [
        "HOST",
        "PORT",
        "BASE_URI",
        "AUTH_MODE",
        "ALLOWED_HOSTS",
        "ALLOWED_ORIGINS",
        "TRUSTED_PROXIES",
        "MAX_BODY_BYTES",
        "MAX_HEADER_BYTES",
        "MAX_CONNECTIONS",
        "HEADER_TIMEOUT_SECS",
        "TOKEN_CACHE_SECS",
        "SSE_KEEP_ALIVE_SECS",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn a_server_without_tokens_listens_on_loopback_only() {
    for (host, allowed) in [
        ("127.0.0.1", true),
        ("localhost", true),
        ("::1", true),
        ("0.0.0.0", false),
        ("::", false),
        ("192.168.1.5", false),
        ("example.com", false),
    ] {
        let config = EdgeConfig {
            host: host.into(),
            auth_mode: "disabled".into(),
            ..EdgeConfig::default()
        };
        match config.check() {
            Ok(_) => assert!(allowed, "{host}"),
            Err(bad) => {
                assert!(!allowed, "{host}");
                assert_eq!(bad.0[0].name, "AUTH_MODE");
                assert!(
                    bad.to_string().contains("HOST must be a loopback address"),
                    "{bad}"
                );
            }
        }
    }
}

#[test]
fn beyond_loopback_there_is_tls_or_a_word_that_there_need_not_be() {
    let listening_on = |host: &str| EdgeConfig {
        host: host.into(),
        ..EdgeConfig::default()
    };
    for host in ["0.0.0.0", "::", "192.168.1.5", "edge"] {
        let bad = listening_on(host).check().unwrap_err().to_string();
        for part in ["HOST", "TLS_CERT", "ALLOW_PLAINTEXT=true"] {
            assert!(bad.contains(part), "{bad}");
        }
        let told = EdgeConfig {
            tls: TlsArgs {
                allow_plaintext: true,
                ..TlsArgs::default()
            },
            ..listening_on(host)
        };
        assert!(told.check().is_ok(), "{host}");
        let mut encrypted = EdgeConfig {
            tls: TlsArgs {
                tls_cert: Some("cert.pem".into()),
                tls_key: Some("key.pem".into()),
                ..TlsArgs::default()
            },
            ..listening_on(host)
        };
        let settings = encrypted.check().unwrap();
        assert_eq!(settings.base.as_str(), "https://localhost:3232");
        encrypted.tls.tls_key = None;
        assert_eq!(problems(&encrypted), ["TLS_CERT"]);
    }
}

#[test]
fn a_base_uri_is_an_origin() {
    for (text, origin) in [
        ("https://mcp.example.com", Some("https://mcp.example.com")),
        ("https://MCP.example.com:443/", Some("https://mcp.example.com")),
        ("http://[::1]:3232", Some("http://[::1]:3232")),
        ("https://mcp.example.com/path", None),
        ("https://user@mcp.example.com", None),
        ("https://mcp.example.com?x", None),
        ("mcp.example.com", None),
    ] {
        assert_eq!(
            text.parse::<BaseUri>().ok().as_ref().map(BaseUri::as_str),
            origin,
            "{text}"
        );
    }
}

#[test]
fn a_port_of_the_systems_choice_is_part_of_the_default_base_uri() {
    let config = EdgeConfig {
        port: "0".to_owned(),
        ..EdgeConfig::default()
    };
    let settings = config.check().unwrap().listening_on(4000);
    assert_eq!(
        (settings.base.as_str(), settings.listen_address().as_str()),
        ("http://localhost:4000", "127.0.0.1:4000")
    );
    let config = EdgeConfig {
        base_uri: Some("https://mcp.example.com".to_owned()),
        ..config
    };
    assert_eq!(
        config.check().unwrap().listening_on(4000).base.as_str(),
        "https://mcp.example.com"
    );
}

#[test]
fn request_state_keys_come_from_a_file_too() {
    let path = std::env::temp_dir().join(format!("edge-keys-{}", uuid::Uuid::new_v4()));
    let config = EdgeConfig {
        request_state_keys_file: Some(path.clone()),
        ..EdgeConfig::default()
    };
    assert_eq!(problems(&config), ["REQUEST_STATE_KEYS_FILE"], "no such file");
    for (content, good) in [
        ("", false),
        ("too short\n", false),
        ("0123456789abcdef0123456789abcdef\n", true),
        (
            "0123456789abcdef0123456789abcdef\nfedcba9876543210fedcba9876543210\n",
            true,
        ),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(config.check().is_ok(), good, "{content:?}");
    }
    std::fs::remove_file(&path).unwrap();
}
