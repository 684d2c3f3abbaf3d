//! The binary as a container runs it.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

fn edge() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everything-edge"));
    command.env_clear().stdin(Stdio::null());
    command
}

#[test]
fn all_bad_settings_are_named_and_the_exit_code_is_64() {
    let output = edge()
        .env("PORT", "x")
        .env("HOST", "0.0.0.0")
        .env("AUTH_MODE", "disabled")
        .env("MAX_BODY_BYTES", "-1")
        .env("SESSION_URL", "nonsense")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in [
        "PORT ",
        "AUTH_MODE disabled serves everybody",
        "MAX_BODY_BYTES ",
        "SESSION_URL ",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
}

#[test]
fn help_names_every_setting() {
    let output = edge().arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for name in [
        "HOST",
        "PORT",
        "BASE_URI",
        "AUTH_URL",
        "SESSION_URL",
        "FEATURE_URL",
        "AUTH_MODE",
        "TRUSTED_PROXIES",
    ] {
        assert!(text.contains(&format!("[env: {name}=]")), "{name} in {text}");
    }
    assert!(text.contains("healthcheck"));
}

#[test]
fn it_is_alive_without_its_services_and_ends_on_sigterm() {
    // Free a moment ago; nothing else here takes ports by number.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let nobody = "http://127.0.0.1:1";
    let mut child = edge()
        .env("PORT", &port)
        .env("AUTH_URL", nobody)
        .env("SESSION_URL", nobody)
        .env("FEATURE_URL", nobody)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let alive = || {
        edge()
            .arg("healthcheck")
            .env("PORT", &port)
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    while !alive() {
        assert!(Instant::now() < deadline, "alive in time");
    }
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            break;
        }
        assert!(Instant::now() < deadline, "ended in time");
        std::thread::yield_now();
    }
    assert!(!alive());
}
