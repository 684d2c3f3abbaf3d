//! A web server for what other servers would say.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Answers what it was told to, and remembers what it was asked.
#[derive(Clone)]
pub struct Web {
    address: SocketAddr,
    pages: Arc<Mutex<HashMap<String, String>>>,
    /// Path and whole text of each request.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Web {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = Self {
            address: listener.local_addr().unwrap(),
            pages: Arc::default(),
            asked: Arc::default(),
        };
        let serving = web.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().converse(stream));
            }
        });
        web
    }

    async fn converse(self, mut stream: TcpStream) {
        let mut text = String::new();
        let mut buffer = vec![0; 8192];
        while !is_whole(&text) {
            let length = stream.read(&mut buffer).await.unwrap_or(0);
            if length == 0 {
                return;
            }
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let page = self.pages.lock().unwrap().get(&path).cloned();
        self.asked.lock().unwrap().push((path, text));
        let page = page.unwrap_or_else(|| "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned());
        let _ = stream.write_all(page.as_bytes()).await;
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    pub fn answer(&self, path: &str, head: &str, body: &str) {
        let page = format!(
            "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    pub fn serve(&self, path: &str, cache: &str, document: &Value) {
        let head = format!("200 OK\r\ncontent-type: application/json\r\ncache-control: {cache}");
        self.answer(path, &head, &document.to_string());
    }

    pub fn forget(&self, path: &str) {
        self.pages.lock().unwrap().remove(path);
    }

    pub fn times(&self, path: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|(asked, _)| asked == path)
            .count()
    }

    /// The whole text of the last request for the path.
    pub fn last(&self, path: &str) -> String {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .rev()
            .find(|(asked, _)| asked == path)
            .map(|(_, text)| text.clone())
            .unwrap()
    }

    pub fn was_never_asked(&self) -> bool {
        self.asked.lock().unwrap().is_empty()
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
