//! Words of house jargon stay out of documents, doc comments and error texts. `CONTRIBUTING.md` has
//! the rules behind the list.

use std::fs;
use std::path::{Path, PathBuf};

use tidewire_harness::project::Project;

/// A phrase that must not occur, and what to write instead. In the texts under test, phrases are
/// whole words in any case; text in backquotes is left out.
const JARGON: [(&str, &str); 19] = [
    ("anew", "again, or new"),
    ("are told", "get, or are notified"),
    ("be told", "get, or be notified"),
    ("come again", "retry"),
    ("comes again", "occurs again, or retries"),
    ("go on from", "resume from"),
    ("goes on", "resumes, or continues"),
    ("going on", "continuing"),
    ("is told", "gets, or is notified"),
    ("is to be", "must be"),
    ("meanwhile", "in the meantime, or the time that is meant"),
    ("out of reach", "unavailable"),
    ("takes no", "does not support, or needs no"),
    ("was told", "got, or was notified"),
    ("who asks", "the client"),
    ("who has", "a client with"),
    ("who shows", "a client with"),
    ("whoever", "a client that, or everyone who"),
    ("whom", "the noun that it stands for"),
];

/// Opens a sentence with a clause in the place of a noun.
const OPENINGS: [&str; 3] = ["Who ", "Whom ", "Whose "];

fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.')
                && !["node_modules", "target", "tests", "vectors"].contains(&name.as_str())
            {
                texts(&path, found);
            }
        } else if [".md", ".rs", ".toml"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

/// What to write instead, for each phrase of the list in a line.
fn faults(line: &str) -> Vec<String> {
    let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let words: String = plain
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { ' ' })
        .collect();
    let words = format!(" {} ", words.split_whitespace().collect::<Vec<_>>().join(" "));
    let jargon = JARGON
        .iter()
        .filter(|(phrase, _)| words.contains(&format!(" {phrase} ")))
        .map(|(phrase, better)| format!("`{phrase}`: write {better}"));
    let text = plain.trim_start().trim_start_matches(['/', '!', '#', '-', '*', '|', ' ']);
    let opens =
        |opening: &&&str| text.starts_with(**opening) || plain.contains(&format!(". {opening}"));
    jargon
        .chain(
            OPENINGS
                .iter()
                .filter(opens)
                .map(|opening| format!("`{}` opens a sentence: name the noun", opening.trim())),
        )
        .collect()
}

#[test]
fn no_document_no_comment_and_no_error_speaks_in_jargon() {
    let root = Project::here().root().to_owned();
    let mut found = Vec::new();
    texts(&root, &mut found);
    let mut all = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let source = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for (index, line) in source.lines().enumerate() {
            let place =
                format!("{}:{}", path.strip_prefix(&root).unwrap_or(&path).display(), index + 1);
            all.extend(faults(line).into_iter().map(|fault| format!("{place} {fault}")));
        }
    }
    assert!(all.is_empty(), "see the rules for English in CONTRIBUTING.md\n{}", all.join("\n"));
}

#[test]
fn each_kind_of_fault_is_found() {
    for line in [
        "/// Sent anew.",
        "The reader goes on.",
        "    // Who asks, that is.",
        "A text. Whom it concerns",
        "\"too many: come again in 5 s\"",
    ] {
        assert!(!faults(line).is_empty(), "{line}");
    }
    for line in [
        "`anew` is on the list",
        "/// Whole pages.",
        "It goes once.",
        "who-asks",
        "a canoe, renewed",
    ] {
        assert_eq!(faults(line), Vec::<String>::new(), "{line}");
    }
}
