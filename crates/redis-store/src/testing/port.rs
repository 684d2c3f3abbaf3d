use std::{
    fs::{File, TryLockError},
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// Below those that systems give to outgoing connections: a port stays free while what listens on it is started again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port of 127.0.0.1 for a process that must be told where to listen. No other test has it as long as this lives, in
/// whichever process it runs.
pub struct ReservedPort {
    number: u16,
    _lock: File,
}

impl ReservedPort {
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let locks = std::env::temp_dir().join("everything-ports");
        std::fs::create_dir_all(&locks).expect("a directory for locks");
        for _ in PORTS {
            let number = rand::random_range(PORTS);
            let lock = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(locks.join(number.to_string()))
                .expect("a file to lock");
            match lock.try_lock() {
                // Something else may have it.
                Ok(()) if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() => {
                    return Self { number, _lock: lock };
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => panic!("ports cannot be reserved: {error}"),
            }
        }
        panic!("no free port in {PORTS:?}");
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_are_different_and_can_be_listened_on() {
        let reserved: Vec<_> = (0..200).map(|_| ReservedPort::new()).collect();
        let numbers: HashSet<_> = reserved.iter().map(ReservedPort::number).collect();
        assert_eq!(numbers.len(), reserved.len());
        TcpListener::bind(reserved[0].address()).unwrap();
    }
}
