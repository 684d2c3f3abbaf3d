//! One container's view of the machine, by bubblewrap.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, ensure};

use super::{ComposeFile, Dockerfile, Service, Stage, network::Namespace};
use crate::tools;

/// Programs of this machine that stand in for images of others, with the command where the compose file leaves it to the
/// image.
const IMAGES: [(&str, &[&str]); 2] = [
    ("redis", &[]),
    (
        "haproxy",
        &["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
    ),
];

/// What containers are made from.
pub struct Sandbox {
    pub file: ComposeFile,
    pub dockerfile: Dockerfile,
    /// Holds volumes, and the files that Docker writes into `/etc`.
    pub directory: PathBuf,
}

impl Sandbox {
    /// The container's main program, or another one in a container like it.
    pub fn command(
        &self,
        namespace: &Namespace,
        service: &Service,
        other: Option<&[String]>,
    ) -> anyhow::Result<Command> {
        let stage = self.stage(service)?;
        let mut bwrap = namespace.enter();
        bwrap.args([
            "bwrap",
            "--unshare-user",
            "--unshare-pid",
            "--die-with-parent",
            "--new-session",
            "--clearenv",
        ]);
        bwrap.args(["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]);
        let (uid, gid) = service
            .user
            .as_deref()
            .and_then(|user| user.split_once(':'))
            .unwrap_or(("65532", "65532"));
        bwrap.args(["--uid", uid, "--gid", gid]);
        // Libraries, and for images of others their programs: ours bring nothing but themselves.
        bwrap.args([
            "--ro-bind",
            "/usr/lib",
            "/usr/lib",
            "--ro-bind-try",
            "/usr/lib64",
            "/usr/lib64",
        ]);
        bwrap.args(["--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"]);
        bwrap.args(["--ro-bind-try", "/etc/ssl/certs", "/etc/ssl/certs"]);
        for file in ["hosts", "host.conf", "nsswitch.conf"] {
            let source = self.directory.join(file).display().to_string();
            bwrap.args(["--ro-bind", &source, &format!("/etc/{file}")]);
        }
        let mut words: Vec<String> = match stage {
            Some(stage) => {
                for (binary, target) in &stage.binaries {
                    bwrap.arg("--ro-bind").arg(tools::binary(binary)?).arg(target);
                }
                for (name, value) in &stage.environment {
                    bwrap.args(["--setenv", name, value]);
                }
                stage.entrypoint.clone()
            }
            None => {
                bwrap.args([
                    "--ro-bind",
                    "/usr/bin",
                    "/usr/bin",
                    "--ro-bind",
                    "/usr/sbin",
                    "/usr/sbin",
                ]);
                bwrap.args([
                    "--symlink",
                    "usr/bin",
                    "/bin",
                    "--setenv",
                    "PATH",
                    "/usr/bin:/usr/sbin",
                ]);
                let image = image_name(service);
                let (_, command) = IMAGES
                    .iter()
                    .find(|(name, _)| *name == image)
                    .context("an image of others")?;
                command.iter().map(|&word| word.to_owned()).collect()
            }
        };
        for (name, value) in &service.environment {
            bwrap.args(["--setenv", name, value]);
        }
        let mut directory = None;
        for volume in &service.volumes {
            let mut parts = volume.split(':');
            let (source, target) = (
                parts.next().context("a source")?,
                parts.next().context("a target")?,
            );
            let bind = if parts.next() == Some("ro") {
                "--ro-bind"
            } else {
                "--bind"
            };
            bwrap.arg(bind).arg(self.volume(source)?).arg(target);
            directory = directory.or(Some(target)).filter(|_| target == "/data");
        }
        if let Some(directory) = directory {
            bwrap.args(["--chdir", directory]);
        }
        if service.read_only {
            bwrap.args(["--remount-ro", "/"]);
        }
        match other {
            Some(other) => words = other.to_vec(),
            None => words.extend(service.command.iter().cloned()),
        }
        bwrap.arg("--").args(words);
        Ok(bwrap)
    }

    fn stage(&self, service: &Service) -> anyhow::Result<Option<&Stage>> {
        let image = image_name(service);
        let Some(target) = image.strip_prefix("everything-") else {
            return Ok(None);
        };
        self.dockerfile
            .stages
            .get(target)
            .context("a stage of the Dockerfile")
            .map(Some)
    }

    /// A named volume, or a file of the repository.
    fn volume(&self, source: &str) -> anyhow::Result<PathBuf> {
        if source.starts_with('.') {
            return Ok(tools::root().join(source));
        }
        ensure!(self.file.volumes.contains_key(source), "no volume {source}");
        let path = self.directory.join("volumes").join(source);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }
}

/// Whether a service's image is ours, or one that a program of this machine can stand in for.
pub fn can_run(service: &Service) -> bool {
    let image = image_name(service);
    image.starts_with("everything-") || IMAGES.iter().any(|(name, _)| *name == image)
}

/// `haproxy` of `haproxy:3.2-alpine`.
pub fn image_name(service: &Service) -> String {
    let name = service.image.split(':').next().unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}
