//! The source of templates for Spin and cargo-generate, rendered as they do it.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use tidewire_harness::copy::name::Name;
use tidewire_harness::copy::template::Template;
use tidewire_harness::copy::tree::Tree;
use tidewire_harness::copy::{Copy, source};
use tidewire_harness::lock::Lock;
use tidewire_harness::platform::Choice;
use tidewire_harness::project::Project;

/// A path that does not exist yet; the drop of this value removes what a test writes there.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place =
            Self(env::temp_dir().join(format!("tidewire-source-{}-{name}", std::process::id())));
        place.clear();
        place
    }

    fn clear(&self) {
        let _ = fs::remove_dir_all(&self.0).or_else(|_| fs::remove_file(&self.0));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clear();
    }
}

/// All files, including hidden files, which Spin and cargo-generate copy as well.
fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                tree.insert(
                    entry.path().strip_prefix(folder).unwrap().to_owned(),
                    fs::read(entry.path()).unwrap(),
                );
            }
        }
    }
    tree
}

#[test]
fn a_template_that_is_filled_in_is_what_new_makes() {
    let project = Project::here();
    let place = Place::new("filled");
    source::write(&project, Choice::Both, &place.0).unwrap();
    let parser = liquid::ParserBuilder::with_stdlib().build().unwrap();
    for (index, template) in Template::all(&project).unwrap().into_iter().enumerate() {
        let content = read(&place.0.join("templates").join(&template.name).join("content"));
        let copy = Copy {
            project: &project,
            template,
            name: Name::parse("my-feed", &Lock::read(&project).unwrap()).unwrap(),
            choice: Choice::Both,
        };
        let wanted = copy.files().unwrap();
        assert!(content.keys().eq(wanted.keys()), "{}", copy.template.name);
        // A name as a user may write it.
        let values = liquid::object!({ "project-name": "My_Feed" });
        // All copies have the same `vendor/`.
        for (path, contents) in
            content.into_iter().filter(|(path, _)| index == 0 || !path.starts_with("vendor"))
        {
            let filled = match String::from_utf8(contents) {
                Ok(text) => parser
                    .parse(&text)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
                    .render(&values)
                    .unwrap()
                    .into_bytes(),
                Err(error) => error.into_bytes(),
            };
            match path.to_str().unwrap() {
                // cargo cuts the lock file in `write`, not in `files`.
                "Cargo.lock" => {
                    assert!(String::from_utf8(filled).unwrap().contains("name = \"my-feed\""))
                }
                // All users have the same template, so it must contain no key.
                secret @ (".dev.vars" | ".env") => {
                    assert_eq!(filled, wanted[Path::new(&format!("{secret}.example"))])
                }
                _ => assert!(
                    filled == wanted[&path],
                    "{} of {} differs",
                    path.display(),
                    copy.template.name
                ),
            }
        }
    }
}

/// The fields that Spin reads; an unknown field is an error in Spin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    manifest_version: String,
    id: String,
    description: String,
    tags: Vec<String>,
    #[serde(rename = "new_application")]
    _new_application: toml::Table,
    #[serde(rename = "add_component")]
    _add_component: toml::Table,
    #[serde(rename = "parameters")]
    _parameters: toml::Table,
}

#[test]
fn an_archive_has_what_spin_and_cargo_generate_look_for() {
    let project = Project::here();
    let (archive, unpacked) = (Place::new("archive.tar.gz"), Place::new("unpacked"));
    source::write(&project, Choice::Spin, &archive.0).unwrap();
    fs::create_dir(&unpacked.0).unwrap();
    assert!(
        Command::new("tar")
            .arg("-xzf")
            .arg(&archive.0)
            .arg("-C")
            .arg(&unpacked.0)
            .status()
            .unwrap()
            .success()
    );
    assert!(!archive.0.with_extension("part").exists());

    let mut contents = Vec::new();
    for Template { name, .. } in Template::all(&project).unwrap() {
        let folder = unpacked.0.join("templates").join(&name);
        let metadata: Metadata = toml::from_str(
            &fs::read_to_string(folder.join("metadata/spin-template.toml")).unwrap(),
        )
        .unwrap();
        assert_eq!(
            (metadata.manifest_version.as_str(), metadata.id),
            ("1", format!("tidewire-{name}"))
        );
        assert!(!metadata.description.is_empty() && metadata.tags.contains(&"tidewire".to_owned()));
        assert!(
            folder.join("content/spin.toml").is_file()
                && !folder.join("content/wrangler.toml").exists()
        );
        contents.push(format!("templates/{name}/content"));
    }
    let generate: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        toml::from_str(&fs::read_to_string(unpacked.0.join("cargo-generate.toml")).unwrap())
            .unwrap();
    assert_eq!(generate["template"]["sub_templates"], contents);
}
