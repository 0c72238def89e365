//! A static file server for the built page, on the loopback interface only.

use anyhow::{Context, Result, anyhow, bail};
use percent_encoding::percent_decode_str;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const DEFAULT_PORT: u16 = 8080;
/// How many ports after the default one are tried.
const PORTS_TRIED: u16 = 100;
/// Bytes of a request before its body; browsers send a tenth.
const MAX_HEAD: usize = 16 << 10;
/// How long a connection may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes the port asked for (0: any), or else the first free one from 8080 on.
pub fn bind(port: Option<u16>) -> Result<TcpListener> {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match port {
        Some(port) => listen(port).with_context(|| format!("port {port} cannot be used; choose another with --port")),
        None => (DEFAULT_PORT..DEFAULT_PORT + PORTS_TRIED).find_map(|port| listen(port).ok()).with_context(|| {
            format!("no port from {DEFAULT_PORT} to {} is free; choose one with --port", DEFAULT_PORT + PORTS_TRIED - 1)
        }),
    }
}

/// Serves `root` and prints the one URL, until the process is stopped.
pub fn run(listener: TcpListener, root: &Path) -> Result<()> {
    let (url, thread) = start(listener, root)?;
    println!("\nSK Lens is at {url}  (Ctrl-C stops it)");
    thread.join().map_err(|_| anyhow!("the server's thread panicked"))
}

/// Serves `root` in the background and returns the URL and the server's thread.
pub fn start(listener: TcpListener, root: &Path) -> Result<(String, thread::JoinHandle<()>)> {
    if !root.join("index.html").is_file() {
        bail!("{} has no index.html; build the page with `cargo xtask build`", root.display());
    }
    let root: Arc<Path> = root.canonicalize()?.into();
    let headers: Arc<str> = site_headers(&root)?.into();
    let address: SocketAddr = listener.local_addr()?;
    let thread = thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (root, headers) = (Arc::clone(&root), Arc::clone(&headers));
            // One thread each: browsers open connections ahead of need, and those must not hold up others.
            thread::spawn(move || {
                // A failure means that the browser went away, which is its right.
                let _ = answer(stream, &root, &headers);
            });
        }
    });
    Ok((format!("http://{address}/"), thread))
}

/// What the site's `_headers` wants to be sent with every file, a line each, the security policy above all: without it the
/// policy in the page would not reach the page's worker.
fn site_headers(root: &Path) -> Result<String> {
    let path = root.join("_headers");
    if !path.is_file() {
        return Ok(String::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let indented = text.lines().skip_while(|line| *line != "/*").skip(1).take_while(|line| line.starts_with("  "));
    indented
        .map(|line| match line.trim().split_once(": ") {
            Some((name, value)) => Ok(format!("{name}: {value}\r\n")),
            None => bail!("{}: {line:?} is no header of the form NAME: VALUE", path.display()),
        })
        .collect()
}

/// Answers the one request of a connection.
fn answer(mut stream: TcpStream, root: &Path, headers: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (method, target) = request(&mut stream)?;
    if !["GET", "HEAD"].contains(&method.as_str()) {
        return refuse(&mut stream, "405 Method Not Allowed");
    }
    let Some((path, mut file)) =
        resolve(root, &target).and_then(|path| File::open(&path).ok().map(|file| (path, file)))
    else {
        return refuse(&mut stream, "404 Not Found");
    };
    let (kind, length) = (media_type(&path), file.metadata()?.len());
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-cache\r\n\
         Connection: close\r\n{headers}\r\n"
    )?;
    if method == "GET" {
        io::copy(&mut file, &mut stream)?;
    }
    Ok(())
}

fn refuse(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Method and target of the request that arrives.
fn request(stream: &mut impl Read) -> io::Result<(String, String)> {
    let mut head = vec![0; MAX_HEAD];
    let mut length = 0;
    loop {
        match stream.read(&mut head[length..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut fields);
        let status = request.parse(&head[..length]).map_err(io::Error::other)?;
        if let (true, Some(method), Some(target)) = (status.is_complete(), request.method, request.path) {
            return Ok((method.to_owned(), target.to_owned()));
        }
    }
}

/// The file under `root` that a request path names; `None` if there is none or it would lie outside.
/// `root` must be canonical.
fn resolve(root: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?;
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let mut file = root.to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        // Also drive letters and separators of Windows, which `join` would follow.
        if part == "." || part == ".." || part.contains(['\\', ':', '\0']) {
            return None;
        }
        file.push(part);
    }
    if file.is_dir() {
        file.push("index.html");
    }
    let file = file.canonicalize().ok()?;
    (file.starts_with(root) && file.is_file()).then_some(file)
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "txt" | "md" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a page, a weights file, and a secret next to it.
    fn site() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("dist");
        fs::create_dir_all(root.join("models")).unwrap();
        fs::write(root.join("index.html"), "<p>page").unwrap();
        fs::write(root.join("models/a b.safetensors"), [7u8; 9]).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        (folder, root)
    }

    fn get(url: &str, path: &str) -> String {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[test]
    fn serves_files_with_their_media_type() {
        let (_folder, root) = site();
        let (url, _thread) = start(bind(Some(0)).unwrap(), &root).unwrap();
        let page = get(&url, "/?photo=1");
        assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("<p>page"), "{page}");
        assert!(page.contains("Content-Type: text/html; charset=utf-8\r\n"), "{page}");
        assert!(page.contains("Cache-Control: no-cache\r\n"), "{page}");
        let weights = get(&url, "/models/a%20b.safetensors");
        assert!(weights.contains("Content-Type: application/octet-stream\r\n"), "{weights}");
        assert!(weights.contains("Content-Length: 9\r\n"), "{weights}");
        assert_eq!(media_type(Path::new("engine_bg.wasm")), "application/wasm");
    }

    #[test]
    fn open_connections_hold_up_no_other() {
        let (_folder, root) = site();
        let (url, _thread) = start(bind(Some(0)).unwrap(), &root).unwrap();
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert!(get(&url, "/").ends_with("<p>page"));
        drop(silent);
    }

    #[test]
    fn other_methods_and_long_requests_are_refused() {
        let (_folder, root) = site();
        let (url, _thread) = start(bind(Some(0)).unwrap(), &root).unwrap();
        let send = |text: &str| {
            let mut stream = TcpStream::connect(url.trim_start_matches("http://").trim_end_matches('/')).unwrap();
            // The server may close before it has read everything.
            let _ = stream.write_all(text.as_bytes());
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            answer
        };
        assert!(send("POST / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        let head = send("HEAD / HTTP/1.1\r\n\r\n");
        assert!(head.contains("Content-Length: 7\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        assert_eq!(send(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(MAX_HEAD))), "");
    }

    #[test]
    fn every_file_carries_the_headers_of_the_site() {
        let (_folder, root) = site();
        let rules =
            "/other\n  X-Other: no\n/*\n  Content-Security-Policy: default-src 'none'; img-src blob:\n  X-A: b\n";
        fs::write(root.join("_headers"), rules).unwrap();
        let (url, _thread) = start(bind(Some(0)).unwrap(), &root).unwrap();
        for path in ["/", "/models/a%20b.safetensors"] {
            let answer = get(&url, path);
            assert!(answer.contains("Content-Security-Policy: default-src 'none'; img-src blob:\r\n"), "{answer}");
            assert!(answer.contains("X-A: b\r\n") && !answer.contains("X-Other"), "{answer}");
        }
        fs::write(root.join("_headers"), "/*\n  no header\n").unwrap();
        assert!(start(bind(Some(0)).unwrap(), &root).unwrap_err().to_string().contains("no header"));
    }

    #[test]
    fn nothing_outside_the_folder_can_be_read() {
        let (folder, root) = site();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).unwrap();
        let (url, _thread) = start(bind(Some(0)).unwrap(), &root).unwrap();
        let absolute = format!("/{}", folder.path().join("secret").display());
        for path in
            ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/models/../../secret", "/..\\secret", "/link", &absolute]
        {
            let answer = get(&url, path);
            assert!(!answer.contains("secret") && answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
    }

    #[test]
    fn a_taken_port_is_an_error_only_when_asked_for() {
        let first = bind(None).unwrap();
        let port = first.local_addr().unwrap().port();
        assert!(bind(Some(port)).unwrap_err().to_string().contains(&port.to_string()));
        assert_ne!(bind(None).unwrap().local_addr().unwrap().port(), port);
    }
}
