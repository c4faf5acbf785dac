//! The texts that a document is made of: files, `--set` options, texts compiled into the binary.
//!
//! Owns: the one function through which `config` reads files, and its limits. Must not know: YAML.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::tree::{FileId, Span};
use crate::units::nearest_word;

/// Files above this size are refused, bytes. Scenarios are written by hand; traces are read elsewhere.
pub(super) const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// One text with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name for messages: the path as the user gave it, or `--set #1`.
    pub name: String,
    /// The file, if it is one.
    pub path: Option<PathBuf>,
    /// The text.
    pub text: String,
}

impl Source {
    /// True if it was typed on the command line.
    pub(crate) fn is_option(&self) -> bool {
        self.path.is_none() && self.name.starts_with("--set ")
    }
}

/// The texts of a document, by [`FileId`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// Adds a text.
    pub fn add(&mut self, name: impl Into<String>, path: Option<PathBuf>, text: impl Into<String>) -> FileId {
        let id = FileId(self.list.len());
        self.list.push(Source { name: name.into(), path, text: text.into() });
        id
    }

    /// The text of an id.
    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.list.get(id.0)
    }

    /// All texts in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.list.iter()
    }

    /// Text at `span`, if it is on one line and not empty.
    pub fn slice(&self, span: &Span) -> Option<&str> {
        let text = self.get(span.file)?.text.get(span.start..span.start.checked_add(span.len)?)?;
        (!text.is_empty() && !text.contains(['\n', '\r'])).then_some(text)
    }

    /// The folder against which relative paths written at `span` are resolved; the current folder if they come from no file.
    pub fn folder(&self, span: &Span) -> PathBuf {
        self.get(span.file).and_then(|s| s.path.as_deref()).and_then(Path::parent).map_or_else(PathBuf::new, Path::to_path_buf)
    }
}

/// Why a file cannot be used: the problem and a hint. User error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadProblem {
    /// The problem, without the file's name.
    pub(crate) problem: String,
    /// Suggested fix.
    pub(crate) hint: Option<String>,
}

impl ReadProblem {
    /// As a sentence about `path`: "no such file: `a.yaml`", "`a.yaml` is a directory, expected …".
    pub(crate) fn sentence(&self, path: &Path) -> String {
        match self.problem.strip_prefix("no such") {
            Some(_) => format!("{}: `{}`", self.problem, path.display()),
            None => format!("`{}` {}", path.display(), self.problem),
        }
    }
}

impl ReadProblem {
    fn new(problem: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}

/// Kind of file that [`read`] expects for a document.
pub(super) const DOCUMENT: &str = "a YAML file";

/// Reads a text file of at most [`MAX_BYTES`]; `what` is the expected kind of file, for messages.
pub(crate) fn read(path: &Path, what: &str) -> Result<String, ReadProblem> {
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return Err(ReadProblem::new(format!("is not a regular file, expected {what}"), None));
    }
    check_file(path, what)?;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(ReadProblem::new(format!("cannot be read: {error}"), None));
    }
    if bytes.len() as u64 > MAX_BYTES {
        let hint = (what == DOCUMENT).then(|| "scenarios name traces by path, they do not contain them".to_owned());
        return Err(ReadProblem::new(format!("is larger than 16 MiB, expected {what} written by hand"), hint));
    }
    decode(bytes, what)
}

/// Checks that a file exists and is not a directory, without reading it.
pub(super) fn check_file(path: &Path, what: &str) -> Result<(), ReadProblem> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let hint = (what == DOCUMENT).then(|| yaml_in(path)).flatten().map(|n| format!("name a file in it, such as `{n}`"));
            Err(ReadProblem::new(format!("is a directory, expected {what}"), hint))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let near = nearby(path).map(|n| format!("did you mean `{n}`?"));
            Err(ReadProblem::new("no such file", near.or_else(|| missing_folder(path))))
        }
        Err(error) => Err(ReadProblem::new(format!("cannot be read: {error}"), None)),
    }
}

/// The same for a file that is read more than once, which rules out pipes.
pub(crate) fn check_lasting(path: &Path, what: &str) -> Result<(), ReadProblem> {
    check_file(path, what)?;
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => {
            let kind = kind_of(&meta).unwrap_or("is not a regular file");
            Err(ReadProblem::new(format!("{kind}, and {what} is read more than once"), "save it to a file first".to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn kind_of(meta: &fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    let words = [(kind.is_fifo(), "is a pipe"), (kind.is_socket(), "is a socket"), (kind.is_char_device(), "is a device")];
    words.into_iter().find(|(is, _)| *is).map(|(_, words)| words)
}

#[cfg(not(unix))]
const fn kind_of(_: &fs::Metadata) -> Option<&'static str> {
    None
}

fn decode(bytes: Vec<u8>, what: &str) -> Result<String, ReadProblem> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(ReadProblem::new(format!("is compressed (gzip), expected {what}"), "unpack it first".to_owned()));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ReadProblem::new(format!("is UTF-16 text, expected {what}"), "save it as UTF-8".to_owned()));
    }
    if let Some(at) = bytes.iter().position(|b| *b == 0) {
        return Err(ReadProblem::new(format!("is not a text file (byte {at} is zero), expected {what}"), None));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ReadProblem::new(format!("is not a text file (byte {at} is not UTF-8), expected {what}"), None)
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// Checks that the file of a command that reads no document exists; if not, the problem and a hint.
pub fn check_input(path: &Path, what: &str) -> Result<(), (String, Option<String>)> {
    check_file(path, what).map_err(|problem| (problem.sentence(path), problem.hint))
}

/// The outermost missing folder of `path`, in a sentence; `None` if all its folders exist.
pub(crate) fn missing_folder(path: &Path) -> Option<String> {
    let above = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    let missing = above.take_while(|folder| !folder.exists()).last()?;
    let near = nearby(missing).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Some(format!("there is no folder `{}`{near}", missing.display()))
}

/// Name in the folder of a missing file that is nearest to it.
fn nearby(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = names_in(folder);
    let hit = nearest_word(wanted, names.iter().map(String::as_str))?;
    Some(path.with_file_name(hit).display().to_string())
}

/// The first YAML file of a folder.
fn yaml_in(folder: &Path) -> Option<String> {
    let first = names_in(folder).into_iter().find(|n| Path::new(n).extension().is_some_and(|e| e == "yaml" || e == "yml"))?;
    Some(folder.join(first).display().to_string())
}

fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.take(10_000).filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &Path) -> (String, Option<String>) {
        let p = read(path, DOCUMENT).unwrap_err();
        (p.problem, p.hint)
    }

    #[test]
    fn a_missing_file_names_the_nearest_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("quickstart.yaml"), "a: 1").unwrap();
        let (text, hint) = problem(&folder.path().join("quickstrat.yaml"));
        assert_eq!(text, "no such file");
        assert_eq!(hint.unwrap(), format!("did you mean `{}`?", folder.path().join("quickstart.yaml").display()));
        assert_eq!(problem(&folder.path().join("elsewhere.txt")), ("no such file".into(), None));
    }

    #[test]
    fn the_outermost_missing_folder_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &str| problem(&folder.path().join(path)).1.unwrap();
        let inside = |path: &str| folder.path().join(path).display().to_string();
        assert_eq!(told("nowhere/deep/x.yaml"), format!("there is no folder `{}`", inside("nowhere")));
        fs::create_dir_all(folder.path().join("traces")).unwrap();
        assert_eq!(told("trases/x.yaml"), format!("there is no folder `{}`; did you mean `{}`?", inside("trases"), inside("traces")));
        assert_eq!(missing_folder(Path::new("x.yaml")), None);
    }

    #[test]
    fn a_directory_is_not_a_scenario() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.yaml"), "a: 1").unwrap();
        let (text, hint) = problem(folder.path());
        assert_eq!(text, "is a directory, expected a YAML file");
        assert_eq!(hint.unwrap(), format!("name a file in it, such as `{}`", folder.path().join("b.yaml").display()));
    }

    #[test]
    fn binary_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("junk");
        for (bytes, expected) in [
            (&b"a: 1\0"[..], "is not a text file (byte 4 is zero), expected a YAML file"),
            (&b"a: \xff\xfe"[..], "is not a text file (byte 3 is not UTF-8), expected a YAML file"),
            (&b"\xff\xfea\0:\0"[..], "is UTF-16 text, expected a YAML file"),
            (&b"\x1f\x8b\x08"[..], "is compressed (gzip), expected a YAML file"),
        ] {
            fs::write(&file, bytes).unwrap();
            assert_eq!(problem(&file).0, expected);
        }
    }

    #[test]
    fn a_huge_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("huge.yaml");
        File::create(&file).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(problem(&file).0, "is larger than 16 MiB, expected a YAML file written by hand");
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bom.yaml");
        fs::write(&file, "\u{feff}a: 1").unwrap();
        assert_eq!(read(&file, DOCUMENT).unwrap(), "a: 1");
    }
}
