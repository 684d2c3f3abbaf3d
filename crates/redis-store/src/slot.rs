//! Which slot of a cluster a command belongs to.

use redis::{Arg, Cmd};

pub(crate) const SLOTS: u16 = 16_384;

/// The slot of a key or channel: of the part in braces, if there is one.
pub(crate) fn of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let length = rest.iter().position(|byte| *byte == b'}')?;
        (length > 0).then_some(&rest[..length])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// The slot of the first key of a command; `None` where it has none, and any server will do. All further keys are in the
/// same slot, which the names in [`keys`](crate::keys) see to.
pub(crate) fn of_command(command: &Cmd) -> Option<u16> {
    let mut words = command.args_iter().map(|word| match word {
        Arg::Simple(bytes) => bytes,
        _ => b"",
    });
    let name = words.next()?;
    let keyless: [&[u8]; 6] = [b"PING", b"INFO", b"TIME", b"CLUSTER", b"WAIT", b"PUBLISH"];
    if keyless.iter().any(|keyless| name.eq_ignore_ascii_case(keyless)) {
        return None;
    }
    if name.eq_ignore_ascii_case(b"EVALSHA") || name.eq_ignore_ascii_case(b"EVAL") {
        words.next()?;
        return (words.next()? != b"0").then(|| words.next()).flatten().map(of);
    }
    words.next().map(of)
}

/// CRC-16/XMODEM, as Redis computes it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // The check value of the cluster specification, and what CLUSTER KEYSLOT answers.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(of(b"foo"), 12182);
        assert_eq!(of(b"session:{foo}:owner"), 12182);
        assert_eq!(of(b"{}foo"), of(b"{}foo"));
        assert_ne!(of(b"{}foo"), of(b"foo"));
        assert_eq!(of(b"mcp:changes"), of(b"{mcp:changes}:tick:x"));
    }

    #[test]
    fn commands_go_where_their_keys_are() {
        let command = |words: &[&str]| {
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]);
            of_command(&command)
        };
        assert_eq!(command(&["GET", "foo"]), Some(12182));
        assert_eq!(
            command(&["EVALSHA", "sha", "2", "{foo}a", "{foo}b", "x"]),
            Some(12182)
        );
        assert_eq!(command(&["EVAL", "return 1", "0", "foo"]), None);
        assert_eq!(command(&["TIME"]), None);
    }
}
