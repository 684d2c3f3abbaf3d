use redis::{RedisResult, Value, from_redis_value};

use super::{BTreeSet, Peer};
use crate::slot::SLOTS;

/// Which master owns which slots.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots(Vec<Range>);

#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    master: Peer,
}

impl Slots {
    /// Reads what `asked` answered to `CLUSTER SLOTS`.
    pub(super) fn read(reply: Value, asked: &Peer) -> RedisResult<Self> {
        let ranges: Vec<Vec<Value>> = from_redis_value(reply)?;
        let mut slots = Vec::with_capacity(ranges.len());
        for range in ranges {
            let mut parts = range.into_iter();
            let (Some(first), Some(last), Some(Value::Array(master))) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let mut master = master.into_iter();
            let (Some(host), Some(port)) = (master.next(), master.next()) else {
                continue;
            };
            let host: Option<String> = from_redis_value(host)?;
            // A node that does not know its own address leaves it out.
            let host = host.filter(|host| !host.is_empty() && host != "?");
            slots.push(Range {
                first: from_redis_value(first)?,
                last: from_redis_value(last)?,
                master: Peer::new(host.as_deref().unwrap_or(&asked.host), from_redis_value(port)?),
            });
        }
        slots.sort_by_key(|range| range.first);
        Ok(Self(slots))
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<&Peer> {
        let following = self.0.partition_point(|range| range.first <= slot);
        let range = self.0.get(following.checked_sub(1)?)?;
        (slot <= range.last).then_some(&range.master)
    }

    pub(crate) fn masters(&self) -> BTreeSet<Peer> {
        self.0.iter().map(|range| range.master.clone()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_complete(&self) -> bool {
        let owned: u32 = self
            .0
            .iter()
            .map(|range| u32::from(range.last.saturating_sub(range.first)) + 1)
            .sum();
        owned == u32::from(SLOTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let node = Value::Array(vec![host, Value::Int(port), text("id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), node])
    }

    #[test]
    fn owners_are_found_and_gaps_noticed() {
        let asked = Peer::new("seed", 1);
        let reply = Value::Array(vec![
            range(8192, 16383, text("b"), 2),
            range(0, 8191, text(""), 1),
        ]);
        let slots = Slots::read(reply, &asked).unwrap();
        assert_eq!(slots.owner(0), Some(&asked));
        assert_eq!(slots.owner(16383), Some(&Peer::new("b", 2)));
        assert!(slots.is_complete());

        let reply = Value::Array(vec![range(1, 5, Value::Nil, 1), range(7, 16383, text("b"), 2)]);
        let slots = Slots::read(reply, &asked).unwrap();
        assert_eq!([slots.owner(0), slots.owner(6)], [None, None]);
        assert_eq!(slots.masters().len(), 2);
        assert!(!slots.is_complete() && !slots.is_empty());
    }
}
