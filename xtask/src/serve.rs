//! A static file server for the built page, on the loopback interface only.

use anyhow::{Context, Result, anyhow, bail};
use percent_encoding::percent_decode_str;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use tiny_http::{Header, Method, Request, Response, Server};

const DEFAULT_PORT: u16 = 8080;
/// How many ports after the default one are tried.
const PORTS_TRIED: u16 = 100;
/// Browsers open six connections per host, and a large download must not hold up the others.
const THREADS: usize = 8;

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
    let (url, threads) = start(listener, root)?;
    println!("\nSK Lens is at {url}  (Ctrl-C stops it)");
    for thread in threads {
        thread.join().map_err(|_| anyhow!("a server thread panicked"))?;
    }
    Ok(())
}

/// Serves `root` in the background and returns the URL and the server's threads.
pub fn start(listener: TcpListener, root: &Path) -> Result<(String, Vec<thread::JoinHandle<()>>)> {
    if !root.join("index.html").is_file() {
        bail!("{} has no index.html; build the page with `cargo xtask build`", root.display());
    }
    let root: Arc<Path> = root.canonicalize()?.into();
    let headers: Arc<[Header]> = site_headers(&root)?.into();
    let address: SocketAddr = listener.local_addr()?;
    let server = Server::from_listener(listener, None).map_err(|error| anyhow!("the server did not start: {error}"))?;
    let server = Arc::new(server);
    let threads = (0..THREADS)
        .map(|_| {
            let (server, root, headers) = (Arc::clone(&server), Arc::clone(&root), Arc::clone(&headers));
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    answer(request, &root, &headers);
                }
            })
        })
        .collect();
    Ok((format!("http://{address}/"), threads))
}

/// What the site's `_headers` wants to be sent with every file, the security policy above all: without it the policy in
/// the page would not reach the page's worker.
fn site_headers(root: &Path) -> Result<Vec<Header>> {
    let path = root.join("_headers");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let indented = text.lines().skip_while(|line| *line != "/*").skip(1).take_while(|line| line.starts_with("  "));
    indented
        .map(|line| {
            line.trim()
                .parse()
                .map_err(|()| anyhow!("{}: {line:?} is no header of the form NAME: VALUE", path.display()))
        })
        .collect()
}

fn answer(request: Request, root: &Path, headers: &[Header]) {
    // A failed write means that the browser went away, which is its right.
    let _ = match request.method() {
        Method::Get | Method::Head => {
            match resolve(root, request.url()).and_then(|path| Some((File::open(&path).ok()?, path))) {
                Some((file, path)) => {
                    let mut response = Response::from_file(file)
                        .with_header(header("Content-Type", media_type(&path)))
                        .with_header(header("Cache-Control", "no-cache"));
                    headers.iter().for_each(|header| response.add_header(header.clone()));
                    request.respond(response)
                }
                None => request.respond(Response::from_string("not found").with_status_code(404)),
            }
        }
        _ => request.respond(Response::from_string("only GET and HEAD").with_status_code(405)),
    };
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

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("header names and values here are constant ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

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
        let (url, _threads) = start(bind(Some(0)).unwrap(), &root).unwrap();
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
    fn every_file_carries_the_headers_of_the_site() {
        let (_folder, root) = site();
        let rules =
            "/other\n  X-Other: no\n/*\n  Content-Security-Policy: default-src 'none'; img-src blob:\n  X-A: b\n";
        fs::write(root.join("_headers"), rules).unwrap();
        let (url, _threads) = start(bind(Some(0)).unwrap(), &root).unwrap();
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
        let (url, _threads) = start(bind(Some(0)).unwrap(), &root).unwrap();
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
