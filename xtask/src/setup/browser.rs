//! Chromium with its driver, Firefox, and a Vulkan driver: what the tests run on.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

use super::debian;
use crate::process;

const VULKAN_DRIVER_FOLDERS: [&str; 3] =
    ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/// Makes sure that tests find a browser, its driver and a Vulkan driver.
pub fn ensure() -> Result<()> {
    let needs = [
        (chromium().is_ok(), "Chromium or Chrome in PATH", &["chromium"][..]),
        (
            process::find_program("chromedriver").is_some(),
            "chromedriver of the same version in PATH",
            &["chromium-driver"],
        ),
        (firefox().is_ok(), "Firefox in PATH", &["firefox-esr"]),
        (has_vulkan(), "a Vulkan loader and driver (Mesa's lavapipe will do)", &["mesa-vulkan-drivers", "libvulkan1"]),
    ];
    let missing = || needs.iter().filter(|(present, ..)| !present);
    if missing().next().is_none() {
        return Ok(());
    }
    if debian::is_here() {
        let packages: Vec<&str> = missing().flat_map(|(.., packages)| packages.iter().copied()).collect();
        return debian::install(&packages);
    }
    let list: Vec<&str> = missing().map(|(_, what, _)| *what).collect();
    bail!("the tests need {}; please install and try again", list.join(", and "))
}

/// The driver through which the kernel tests steer the browser.
pub fn chromedriver() -> Result<PathBuf> {
    process::find_program("chromedriver").context("chromedriver is not in PATH")
}

/// The browser for the page's tests.
pub fn chromium() -> Result<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome", "chrome"]
        .into_iter()
        .find_map(process::find_program)
        .context("neither Chromium nor Chrome is in PATH")
}

/// The other browser for the page's tests.
pub fn firefox() -> Result<PathBuf> {
    process::find_program("firefox").context("Firefox is not in PATH")
}

/// Other systems bring Metal or Direct3D.
fn has_vulkan() -> bool {
    !cfg!(target_os = "linux")
        || VULKAN_DRIVER_FOLDERS.iter().any(|folder| {
            fs::read_dir(Path::new(folder)).is_ok_and(|files| {
                files.flatten().any(|file| file.path().extension().is_some_and(|extension| extension == "json"))
            })
        })
}
