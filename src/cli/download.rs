//! Weights from an address, kept in the user's cache folder.

use super::progress::Progress;
use crate::{Error, Result};
use etcetera::{BaseStrategy, choose_base_strategy};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Response, StatusCode, header};

/// Longest wait for a connection, an answer, or the next bytes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a transfer that broke off is taken up again.
const RESUMPTIONS: usize = 3;
const PART: usize = 64 << 10;

/// Whether `text` is an address and not a file.
pub(super) fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// The folder for what this program may keep of its own in the user's cache.
///
/// # Errors
/// A clause, if the user has none.
pub(super) fn cache_folder() -> Result<PathBuf, String> {
    let strategy = choose_base_strategy().map_err(|e| format!("there is no cache folder: {e}"))?;
    Ok(strategy.cache_dir().join("sklens"))
}

/// The file at `address`: from the cache, or fetched there, an earlier partial transfer continued where the server allows.
///
/// # Errors
/// `bad-weights` if it cannot be fetched or its hash is not `sha256`.
pub(super) fn fetch(address: &str, sha256: Option<&str>) -> Result<PathBuf> {
    let failed = |why: String| Error::bad_weights(format!("{address}: {why}"));
    let folder = cache_folder().map_err(failed)?;
    let download = Download { address, folder: folder.join("weights"), patience: PATIENCE };
    download.get(sha256).map_err(failed)
}

/// Compares the SHA-256 of `file` with `expected`, in hexadecimal digits.
///
/// # Errors
/// A clause with both.
pub(super) fn check(file: &Path, expected: &str) -> Result<(), String> {
    let unreadable = |e: io::Error| format!("cannot read {}: {e}", file.display());
    let mut hash = Sha256::new();
    io::copy(&mut File::open(file).map_err(unreadable)?, &mut hash).map_err(unreadable)?;
    let found = hex(&hash.finalize());
    match found.eq_ignore_ascii_case(expected) {
        true => Ok(()),
        false => Err(format!("its SHA-256 is {found} and should be {}", expected.to_lowercase())),
    }
}

/// `bytes` as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Download<'a> {
    address: &'a str,
    folder: PathBuf,
    patience: Duration,
}

/// How a transfer ended.
enum Ended {
    Whole,
    /// Before the end; why, and whether bytes had come.
    Broken(String, bool),
}

impl Download<'_> {
    fn get(&self, sha256: Option<&str>) -> Result<PathBuf, String> {
        let file = self.folder.join(self.file_name());
        if file.exists() {
            match sha256.map_or(Ok(()), |expected| check(&file, expected)) {
                Ok(()) => return Ok(file),
                Err(why) => eprintln!("{} is fetched again: {why}", file.display()),
            }
        }
        let part = beside(&file, "part");
        let unwritable = |e: io::Error| format!("cannot write {}: {e}", part.display());
        fs::create_dir_all(&self.folder).map_err(unwritable)?;
        let mut open = OpenOptions::new();
        let mut out = open.read(true).write(true).create(true).truncate(false).open(&part).map_err(unwritable)?;
        out.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => "another sklens is fetching it".to_string(),
            TryLockError::Error(e) => unwritable(e),
        })?;
        self.fill(&mut out, &beside(&file, "etag"))?;
        out.sync_all().map_err(unwritable)?;
        if let Some(expected) = sha256
            && let Err(why) = check(&part, expected)
        {
            self.forget(&file);
            return Err(format!("{why}; nothing was kept"));
        }
        fs::rename(&part, &file).map_err(unwritable)?;
        self.forget(&file);
        Ok(file)
    }

    /// Deletes what a transfer to `file` leaves beside it.
    fn forget(&self, file: &Path) {
        for ending in ["part", "etag"] {
            // What is not there need not go, and what cannot go harms nobody.
            let _ = fs::remove_file(beside(file, ending));
        }
    }

    /// Different for every address, and ends like it for people.
    fn file_name(&self) -> String {
        let path = self.address.split(['?', '#']).next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let plain = last.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c));
        format!("{}-{}", &hex(&Sha256::digest(self.address))[..16], plain.take(100).collect::<String>())
    }

    fn fill(&self, out: &mut File, etag: &Path) -> Result<(), String> {
        let mut resumptions = 0;
        loop {
            match self.transfer(out, etag)? {
                Ended::Whole => return Ok(()),
                Ended::Broken(why, true) if resumptions < RESUMPTIONS => {
                    resumptions += 1;
                    eprintln!("{}: {why}; trying again", self.address);
                }
                Ended::Broken(why, _) => return Err(format!("{why}; the same call continues it")),
            }
        }
    }

    /// One request for what `out` lacks; the file `etag` tells which version of the file it holds.
    fn transfer(&self, out: &mut File, etag: &Path) -> Result<Ended, String> {
        let unwritable = |e: io::Error| format!("cannot write to the cache folder: {e}");
        let held = out.seek(SeekFrom::End(0)).map_err(unwritable)?;
        let version = fs::read_to_string(etag).ok().filter(|_| held > 0);
        let mut response = match self.request(version.as_deref().map(|version| (held, version))) {
            Ok(response) => response,
            Err(e) => return Ok(Ended::Broken(e.to_string(), false)),
        };
        let begin = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if begin(&response) == Some(held) => held,
            // What is held is no beginning of what is there.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if held > 0 => {
                out.set_len(0).map_err(unwritable)?;
                return Ok(Ended::Broken("the file has changed".into(), true));
            }
            status => return Err(format!("the server answered {status}")),
        };
        let total = response.body().content_length().map(|rest| begin + rest);
        out.set_len(begin).map_err(unwritable)?;
        out.seek(SeekFrom::Start(begin)).map_err(unwritable)?;
        keep_version(&response, etag).map_err(unwritable)?;
        let mut progress = Progress::new(self.address, begin, total);
        let (mut body, mut buffer, mut at) = (response.body_mut().as_reader(), vec![0; PART], begin);
        let broken = loop {
            match body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => {
                    out.write_all(&buffer[..count]).map_err(unwritable)?;
                    at += count as u64;
                    progress.at(at);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(e),
            }
        };
        progress.end();
        let of = total.map_or(String::new(), |total| format!(" of {total}"));
        Ok(match broken {
            Some(e) => Ended::Broken(format!("the transfer broke off after {at}{of} bytes: {e}"), at > begin),
            None if total.is_some_and(|total| at != total) => {
                Ended::Broken(format!("the transfer ended after {at}{of} bytes"), at > begin)
            }
            None => Ended::Whole,
        })
    }

    /// Asks for the bytes from `held` on if the file is still of that version, else for all.
    fn request(&self, held: Option<(u64, &str)>) -> Result<Response<ureq::Body>, ureq::Error> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("sklens/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(self.patience))
            .timeout_recv_response(Some(self.patience))
            .timeout_per_read(Some(self.patience));
        let mut request = Agent::new_with_config(config.build()).get(self.address);
        if let Some((begin, version)) = held {
            request = request.header(header::RANGE, format!("bytes={begin}-")).header(header::IF_RANGE, version);
        }
        request.call()
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// The first byte of a partial answer.
fn begin(response: &Response<ureq::Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// Notes the version of the file that is coming, if its tag is strong: only then may parts of it be put together.
fn keep_version(response: &Response<ureq::Body>, etag: &Path) -> io::Result<()> {
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    match tag.filter(|tag| tag.starts_with('"')) {
        Some(tag) => fs::write(etag, tag),
        None if etag.exists() => fs::remove_file(etag),
        None => Ok(()),
    }
}
