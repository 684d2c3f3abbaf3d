//! Makes secrets for those who have none.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

const SECRET_BYTES: usize = 32;

/// Writes a random secret, readable by its owner only, to a new file. One that is there stays as it is: the edges that use
/// it must go on opening what they sealed.
pub fn generate_key(path: &Path) -> io::Result<()> {
    // Written beside it and then linked, so that no edge reads half a secret.
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(
        file,
        "{}",
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; SECRET_BYTES]>())
    )?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept() {
        let directory = std::env::temp_dir().join(format!("edge-key-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&directory).unwrap();
        let path = directory.join("request-state");
        generate_key(&path).unwrap();
        let made = std::fs::read_to_string(&path).unwrap();
        assert_eq!(made.trim().len(), 43);
        generate_key(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), made);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
