//! Records at rest: looked up by the SHA-256 of a secret, sealed under a key that only the secret yields.
//!
//! Whoever reads the store, or watches commands arrive at it, learns no token and no record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key as AeadKey, Nonce};
use hkdf::Hkdf;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::{Secret, random_bytes};
use crate::store::{Key, Space, Store};

/// Format of a sealed value: version, nonce, ciphertext with tag.
const VERSION: u8 = 1;
const NONCE: usize = 12;

/// Something that is kept under a secret.
pub(crate) trait Record: Serialize + DeserializeOwned + Send + Sync {
    const SPACE: Space;
}

#[derive(Clone)]
pub(crate) struct Vault {
    store: Arc<dyn Store>,
}

impl Vault {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub async fn put<R: Record>(&self, secret: &Secret, record: &R, ttl: Duration) -> Result<(), Error> {
        let key = key::<R>(secret);
        let sealed = seal(secret, &key, record)?;
        Ok(self.store.put(&key, sealed, ttl).await?)
    }

    pub async fn get<R: Record>(&self, secret: &Secret) -> Result<Option<R>, Error> {
        let key = key::<R>(secret);
        let sealed = self.store.get(&key).await?;
        Ok(sealed.and_then(|sealed| open(secret, &key, &sealed)))
    }

    /// Reads and removes: of any number of simultaneous callers exactly one gets the record.
    pub async fn take<R: Record>(&self, secret: &Secret) -> Result<Option<R>, Error> {
        let key = key::<R>(secret);
        let sealed = self.store.take(&key).await?;
        Ok(sealed.and_then(|sealed| open(secret, &key, &sealed)))
    }

    pub async fn delete<R: Record>(&self, secret: &Secret) -> Result<bool, Error> {
        Ok(self.store.delete(&key::<R>(secret)).await?)
    }

    pub async fn extend<R: Record>(&self, secret: &Secret, ttl: Duration) -> Result<bool, Error> {
        Ok(self.store.extend(&key::<R>(secret), ttl).await?)
    }
}

fn key<R: Record>(secret: &Secret) -> Key {
    Key::new(R::SPACE, secret.hash().as_str())
}

/// What a sealed value is bound to: it cannot be moved to another key.
fn associated_data(key: &Key) -> String {
    format!("{}:{}", key.space, key.id)
}

fn cipher(secret: &Secret, key: &Key) -> Result<ChaCha20Poly1305, Error> {
    let mut okm = Zeroizing::new([0_u8; 32]);
    let info = format!("everything-auth/v1/{}", key.space);
    Hkdf::<Sha256>::new(None, secret.expose().as_bytes())
        .expand(info.as_bytes(), okm.as_mut_slice())
        .map_err(|error| Error::Internal(format!("hkdf: {error}")))?;
    Ok(ChaCha20Poly1305::new(&AeadKey::from(*okm)))
}

fn seal<R: Record>(secret: &Secret, key: &Key, record: &R) -> Result<Bytes, Error> {
    let plain = serde_json::to_vec(record).map_err(|error| Error::Internal(format!("record: {error}")))?;
    let plain = Zeroizing::new(plain);
    let nonce = random_bytes::<NONCE>()?;
    let aad = associated_data(key);
    let sealed = cipher(secret, key)?
        .encrypt(
            &Nonce::from(*nonce),
            Payload {
                msg: &plain,
                aad: aad.as_bytes(),
            },
        )
        .map_err(|_| Error::Internal("a record could not be sealed".to_owned()))?;
    let mut value = Vec::with_capacity(1 + NONCE + sealed.len());
    value.push(VERSION);
    value.extend_from_slice(nonce.as_slice());
    value.extend_from_slice(&sealed);
    Ok(value.into())
}

/// `None` when the value was not written by us for this key: to the caller it does not exist.
fn open<R: Record>(secret: &Secret, key: &Key, value: &[u8]) -> Option<R> {
    let opened = || {
        let (version, rest) = value.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        if *version != VERSION {
            return None;
        }
        let aad = associated_data(key);
        let payload = Payload {
            msg: sealed,
            aad: aad.as_bytes(),
        };
        let plain = cipher(secret, key)
            .ok()?
            .decrypt(&Nonce::from(*nonce), payload)
            .ok()?;
        serde_json::from_slice(&Zeroizing::new(plain)).ok()
    };
    let record = opened();
    if record.is_none() {
        tracing::warn!(space = %key.space, "a stored record cannot be opened and is ignored");
    }
    record
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::store::MemoryStore;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note(String);

    impl Record for Note {
        const SPACE: Space = Space::Code;
    }

    const MINUTE: Duration = Duration::from_secs(60);

    fn vault() -> (Vault, Arc<MemoryStore>) {
        let store = Arc::new(MemoryStore::new());
        (Vault::new(store.clone()), store)
    }

    #[tokio::test]
    async fn a_record_comes_back_for_its_secret_only() {
        let (vault, _) = vault();
        let secret = Secret::new("s");
        vault
            .put(&secret, &Note("hello".to_owned()), MINUTE)
            .await
            .unwrap();
        assert_eq!(
            vault.get::<Note>(&secret).await.unwrap(),
            Some(Note("hello".to_owned()))
        );
        assert_eq!(vault.get::<Note>(&Secret::new("t")).await.unwrap(), None);
        assert_eq!(
            vault.take::<Note>(&secret).await.unwrap(),
            Some(Note("hello".to_owned()))
        );
        assert_eq!(vault.take::<Note>(&secret).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_store_sees_neither_secret_nor_record() {
        let (vault, store) = vault();
        let secret = Secret::new("the secret itself");
        vault
            .put(&secret, &Note("the record itself".to_owned()), MINUTE)
            .await
            .unwrap();
        let key = key::<Note>(&secret);
        assert_eq!(key.id, secret.hash().as_str());
        let value = store.get(&key).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&value).into_owned();
        assert!(!text.contains("itself"), "{text}");
    }

    #[tokio::test]
    async fn a_record_that_was_tampered_with_or_moved_is_as_good_as_absent() {
        let (vault, store) = vault();
        let secret = Secret::new("s");
        vault
            .put(&secret, &Note("hello".to_owned()), MINUTE)
            .await
            .unwrap();
        let value = store.get(&key::<Note>(&secret)).await.unwrap().unwrap();
        let other = Secret::new("other");
        store
            .put(&key::<Note>(&other), value.clone(), MINUTE)
            .await
            .unwrap();
        assert_eq!(vault.get::<Note>(&other).await.unwrap(), None);
        let mut bent = value.to_vec();
        *bent.last_mut().unwrap() ^= 1;
        store
            .put(&key::<Note>(&secret), bent.into(), MINUTE)
            .await
            .unwrap();
        assert_eq!(vault.get::<Note>(&secret).await.unwrap(), None);
    }
}
