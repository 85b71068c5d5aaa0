//! Bundles what pages need to be recorded (`replay.js`) and the viewer to play it (`player.js`), with npm and esbuild.
//!
//! Without npm, or when it fails, the viewer is built all the same: the script then only sends the session ID, and
//! the pages say why there is no replay.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// What goes beside `web/`: the library's own script, and its formula for sampling.
const FROM_THE_LIBRARY: &str = "../../qorrelate-core/browser";

#[derive(Debug, thiserror::Error)]
enum BundleError {
    #[error("{0} is not installed")]
    Missing(&'static str),
    #[error("{program} failed: {}", first_line(said))]
    Failed { program: &'static str, said: String },
    #[error("{}: {source}", file.display())]
    File { file: PathBuf, source: io::Error },
}

fn main() -> Result<(), BundleError> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=web");
    println!("cargo::rerun-if-changed={FROM_THE_LIBRARY}");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let why_not = match bundle(&out) {
        Ok(()) => String::new(),
        Err(error) => {
            println!("cargo::warning=the viewer is built without replay: {error}");
            // There is no such file, so the next build tries again.
            println!("cargo::rerun-if-changed={}", out.join("never").display());
            without(&out, &error)?
        }
    };
    println!("cargo::rustc-env=WHY_NO_REPLAY={why_not}");
    Ok(())
}

fn bundle(out: &Path) -> Result<(), BundleError> {
    let web = out.join("web");
    copy("web", &web)?;
    copy(FROM_THE_LIBRARY, &web.join("library"))?;
    // Whatever the library's script can't do in a page, the rest goes on.
    let session = web.join("library/qorrelate.js");
    let told = "catch (error) { window.console?.error?.('Qorrelate:', error); }";
    write(&session, &format!("try {{\n{}\n}} {told}\n", read(&session)?))?;
    // The formula is published as a plain function.
    let formula = web.join("library/is-sampled.js");
    write(&formula, &(read(&formula)? + "\nexport { isSampled };\n"))?;
    install(&web)?;
    run("node", Command::new("node").current_dir(&web).arg("bundle.js"))?;
    let css = out.join("player.css");
    if css.exists() { Ok(()) } else { write(&css, "") }
}

/// Asks the registry only if the lock file is another than the one that was installed from.
fn install(web: &Path) -> Result<(), BundleError> {
    let (lock, installed) = (web.join("package-lock.json"), web.join("node_modules/installed"));
    let wanted = read(&lock)?;
    if fs::read_to_string(&installed).is_ok_and(|lock| lock == wanted) {
        return Ok(());
    }
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    run(
        "npm",
        Command::new(npm).current_dir(web).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            "--fetch-retries=1",
        ]),
    )?;
    write(&installed, &wanted)
}

/// Leaves a script that sends the session ID and nothing else; why.
fn without(out: &Path, error: &BundleError) -> Result<String, BundleError> {
    let why: String = error.to_string().replace(|c: char| c.is_control() || !c.is_ascii(), " ");
    let read = |file: &str| read(Path::new(file));
    let script = [
        read("web/off/before.js")?,
        read(&format!("{FROM_THE_LIBRARY}/qorrelate.js"))?,
        read("web/off/after.js")?.replace("WHY", &format!("{why:?}")),
    ];
    write(&out.join("replay.js"), &script.concat())?;
    write(&out.join("player.js"), "")?;
    write(&out.join("player.css"), "")?;
    Ok(why)
}

fn run(program: &'static str, command: &mut Command) -> Result<(), BundleError> {
    let Output { status, stderr, .. } =
        command.output().map_err(|_| BundleError::Missing(program))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&stderr).into_owned();
    println!("{said}");
    Err(BundleError::Failed { program, said })
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing")
}

/// With its folders, but for what npm has put there.
fn copy(from: impl AsRef<Path>, to: &Path) -> Result<(), BundleError> {
    let from = from.as_ref();
    let of = |source| BundleError::File { file: from.to_owned(), source };
    fs::create_dir_all(to).map_err(of)?;
    for entry in fs::read_dir(from).map_err(of)? {
        let entry = entry.map_err(of)?;
        let to = to.join(entry.file_name());
        if entry.file_name() == "node_modules" {
        } else if entry.path().is_dir() {
            copy(entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to).map_err(of)?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, BundleError> {
    fs::read_to_string(file).map_err(|source| BundleError::File { file: file.to_owned(), source })
}

fn write(file: &Path, text: &str) -> Result<(), BundleError> {
    fs::write(file, text).map_err(|source| BundleError::File { file: file.to_owned(), source })
}
