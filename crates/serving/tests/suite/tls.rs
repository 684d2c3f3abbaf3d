//! Both sides show a certificate, which may change while they run.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use serving::{
    CancellationToken, ListenArgs, Readiness, Reason, Upstream, UpstreamSettings,
    testing::{Authority, Files},
};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::harness::{FEATURE, Replica, call_tool, connect, describe, settings, soon, until};

/// Gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("serving-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn replica(files: &Files) -> Replica {
    let listen = ListenArgs {
        tls: files.args(),
        allow_plaintext: false,
    };
    Replica::on(listen.listen(&"127.0.0.1:0".parse().unwrap()).await.unwrap()).await
}

fn url(replica: &Replica) -> String {
    format!("https://localhost:{}", replica.address.port())
}

fn with(files: &Files) -> UpstreamSettings {
    UpstreamSettings {
        tls: files.args().client().unwrap(),
        ..settings()
    }
}

async fn is_refused(url: &str, settings: UpstreamSettings, reason: Reason) {
    let upstream = Upstream::connect(FEATURE, url.parse().unwrap(), settings, CancellationToken::new());
    until(reason.token(), async || {
        *upstream.readiness().borrow() == Readiness::NotReady(reason)
    })
    .await;
    call_tool(&upstream).await.unwrap_err();
}

/// The certificate that a server shows.
async fn shown(address: SocketAddr, caller: &Files) -> CertificateDer<'static> {
    let tls = caller.args().client().unwrap().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = tls.connect("localhost", stream).await.unwrap();
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn only_those_with_a_certificate_of_the_same_authority_are_let_in() {
    let directory = Directory::new("mtls");
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let service = ours.write(&directory.0, "service", &ours.issue(&["localhost"]));
    let caller = ours.write(&directory.0, "caller", &ours.issue(&["edge"]));
    let replica = replica(&service).await;
    let upstream = connect(&[&url(&replica)], with(&caller)).await;
    call_tool(&upstream).await.unwrap();
    let calls = replica.script.calls();

    // A certificate of somebody else, and trusting that one.
    let stranger = theirs.write(&directory.0, "stranger", &theirs.issue(&["edge"]));
    is_refused(&url(&replica), with(&stranger), Reason::TlsRefused).await;
    // The same, but trusting the service.
    std::fs::write(&stranger.ca, ours.pem()).unwrap();
    is_refused(&url(&replica), with(&stranger), Reason::TlsRefused).await;
    // Not valid any more.
    let late = ours.write(&directory.0, "late", &ours.issue_expired(&["edge"]));
    is_refused(&url(&replica), with(&late), Reason::TlsRefused).await;
    // By another name than the certificate's.
    let by_ip = format!("https://{}", replica.address);
    is_refused(&by_ip, with(&caller), Reason::TlsRefused).await;
    // In plain text.
    is_refused(&replica.url(), settings(), Reason::Unreachable).await;

    // No certificate at all.
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ours.pem().as_bytes()).unwrap())
        .unwrap();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(replica.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let outcome = async {
        let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        // With TLS 1.3 the server's refusal comes after the client's part of the handshake.
        stream.read(&mut [0; 1]).await
    };
    let refusal = soon(outcome).await.unwrap_err();
    assert!(refusal.to_string().contains("CertificateRequired"), "{refusal}");
    assert_eq!(replica.script.calls(), calls, "nobody got through");
}

#[tokio::test]
async fn a_service_whose_certificate_has_expired_is_refused() {
    let directory = Directory::new("expired");
    let authority = Authority::new("ours");
    let service = authority.write(&directory.0, "service", &authority.issue_expired(&["localhost"]));
    let caller = authority.write(&directory.0, "caller", &authority.issue(&["edge"]));
    let replica = replica(&service).await;
    is_refused(&url(&replica), with(&caller), Reason::TlsRefused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_certificates_are_used_without_a_call_being_lost() {
    let directory = Directory::new("reload");
    let authority = Authority::new("ours");
    let service = authority.write(&directory.0, "service", &authority.issue(&["localhost"]));
    let caller = authority.write(&directory.0, "caller", &authority.issue(&["edge"]));
    let replica = replica(&service).await;
    let upstream = connect(&[&url(&replica)], with(&caller)).await;
    let before = shown(replica.address, &caller).await;

    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicUsize::new(0));
    let load = tokio::spawn({
        let (stop, calls, upstream) = (stop.clone(), calls.clone(), upstream.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                call_tool(&upstream).await.unwrap();
                describe(&upstream).await.unwrap();
                calls.fetch_add(2, Ordering::Relaxed);
            }
        }
    });
    service.replace(&authority.issue(&["localhost"]));
    until("the new certificate is shown", async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        shown(replica.address, &caller).await != before
    })
    .await;
    let renewed = shown(replica.address, &caller).await;

    // What is broken is not used.
    std::fs::write(&service.key, "not a key").unwrap();
    let until_looked_at = tokio::time::Instant::now() + Duration::from_millis(2_500);
    while tokio::time::Instant::now() < until_looked_at {
        assert_eq!(shown(replica.address, &caller).await, renewed);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    assert!(calls.load(Ordering::Relaxed) > 100);
}

#[tokio::test]
async fn without_tls_only_this_machine_is_listened_to_unless_told_otherwise() {
    let refusing = ListenArgs::default();
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let error = refusing.listen(&everywhere).await.err().unwrap();
    assert!(error.is_bad_settings());
    for part in ["0.0.0.0:0", "GRPC_TLS_CERT", "ALLOW_PLAINTEXT=true"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    for local in ["127.0.0.1:0", "[::1]:0", "localhost:0"] {
        refusing.listen(&local.parse().unwrap()).await.unwrap();
    }
    let told = ListenArgs {
        allow_plaintext: true,
        ..ListenArgs::default()
    };
    told.listen(&everywhere).await.unwrap();
}

#[tokio::test]
async fn settings_that_cannot_work_are_said() {
    let directory = Directory::new("settings");
    let authority = Authority::new("ours");
    let files = authority.write(&directory.0, "service", &authority.issue(&["localhost"]));
    let mut args = files.args();
    args.grpc_tls_key = None;
    assert!(args.client().unwrap_err().to_string().contains("go together"));
    // The key of another certificate.
    std::fs::write(&files.key, authority.issue(&["localhost"]).key).unwrap();
    files.args().client().unwrap_err();
    std::fs::remove_file(&files.cert).unwrap();
    let error = files.args().client().unwrap_err().to_string();
    assert!(error.contains("service-cert.pem"), "{error}");

    let (https, http, unix) = ("https://a:1", "http://a:1", "unix:/a");
    let none = serving::GrpcTlsArgs::default();
    for (args, address, good) in [
        (&none, http, true),
        (&none, https, false),
        (&files.args(), https, true),
        (&files.args(), http, false),
        (&none, unix, true),
        (&files.args(), unix, true),
    ] {
        assert_eq!(args.check(&address.parse().unwrap()).is_ok(), good, "{address}");
    }
}

#[tokio::test]
async fn a_service_with_tls_is_asked_how_it_is_with_its_own_certificate() {
    let directory = Directory::new("healthcheck");
    let authority = Authority::new("ours");
    let files = authority.write(&directory.0, "service", &authority.issue(&["session"]));
    let replica = replica(&files).await;
    let listen = ListenArgs {
        tls: files.args(),
        allow_plaintext: false,
    };
    let address = replica.address.to_string().parse().unwrap();
    soon(listen.healthcheck(&address)).await.unwrap();
    replica
        .readiness
        .send_replace(Readiness::NotReady(Reason::RedisLoading));
    soon(listen.healthcheck(&address)).await.unwrap_err();
}
