//! A web server on this machine that misbehaves as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a server answers.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Status in place of 200, with an empty body.
    pub status: Option<u16>,
    /// The file's version; none is told where empty.
    pub etag: &'static str,
    /// Whether parts of the file may be asked for.
    pub ranges: bool,
    /// Close after so many bytes of a body, at most so many times.
    pub breaks: (usize, usize),
    /// Wait so long after every sixteenth of a body.
    pub pause: Duration,
}

/// A server of one file.
pub struct Server {
    pub address: String,
    pub behaviour: Arc<Mutex<Behaviour>>,
    /// The `Range` of every request so far.
    pub requests: Arc<Mutex<Vec<Option<String>>>>,
}

/// Serves `content` on a free port until the test ends.
pub fn serve(content: Vec<u8>, behaviour: Behaviour) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let behaviour = Arc::new(Mutex::new(behaviour));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (told, seen) = (behaviour.clone(), requests.clone());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away in the middle is one of the cases.
            let _ = stream.and_then(|stream| answer(stream, &content, &told, &seen));
        }
    });
    Server { address, behaviour, requests }
}

fn answer(
    mut stream: TcpStream,
    content: &[u8],
    behaviour: &Mutex<Behaviour>,
    requests: &Mutex<Vec<Option<String>>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        match line? {
            line if line.is_empty() => break,
            line => head.push(line),
        }
    }
    let header = |name: &str| {
        let (key, value) =
            head.iter().skip(1).filter_map(|l| l.split_once(": ")).find(|(k, _)| k.eq_ignore_ascii_case(name))?;
        (!key.is_empty()).then(|| value.to_string())
    };
    requests.lock().unwrap().push(header("range"));
    let mut told = behaviour.lock().unwrap();
    let Behaviour { status, etag, ranges, breaks: (length, times), pause } = told.clone();
    told.breaks.1 = times.saturating_sub(1);
    drop(told);
    if let Some(status) = status {
        return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let same = header("if-range").is_some_and(|version| version == etag);
    let begin = header("range").filter(|_| ranges && same);
    let begin = begin.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let body = &content[begin.unwrap_or(0)..];
    let status = if begin.is_some() { "206 Partial Content" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len())?;
    if !etag.is_empty() {
        write!(stream, "ETag: {etag}\r\n")?;
    }
    if let Some(begin) = begin {
        write!(stream, "Content-Range: bytes {begin}-{}/{}\r\n", content.len() - 1, content.len())?;
    }
    stream.write_all(b"\r\n")?;
    let body = if times > 0 { &body[..length.min(body.len())] } else { body };
    for part in body.chunks(content.len().div_ceil(16)) {
        stream.write_all(part)?;
        thread::sleep(pause);
    }
    Ok(())
}
