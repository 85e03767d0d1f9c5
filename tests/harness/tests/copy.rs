//! Each template makes consistent copies, for each choice of platforms.

use std::cell::RefCell;
use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidewire_core::SETTINGS;
use tidewire_harness::application::Application;
use tidewire_harness::copy::name::Name;
use tidewire_harness::copy::template::Template;
use tidewire_harness::copy::tree::{self, Tree};
use tidewire_harness::copy::{Copy, vendor};
use tidewire_harness::lock::Lock;
use tidewire_harness::manifest::Manifest;
use tidewire_harness::platform::{Choice, Platform};
use tidewire_harness::project::Project;

const CHOICES: [Choice; 3] = [Choice::Both, Choice::Workers, Choice::Spin];

/// Calls the function with the files of each possible copy.
fn each_copy(check: impl Fn(&Copy, &Tree)) {
    let project = Project::here();
    let templates = Template::all(&project).unwrap();
    assert!(!templates.is_empty(), "there is no template");
    for template in templates {
        for choice in CHOICES {
            let template = Template::find(&project, &template.name).unwrap();
            let name =
                Name::parse(&format!("my-{}", template.name), &Lock::read(&project).unwrap())
                    .unwrap();
            let copy = Copy { project: &project, template, name, choice };
            check(&copy, &copy.files().unwrap());
        }
    }
}

fn text<'a>(files: &'a Tree, path: &str) -> &'a str {
    str::from_utf8(files.get(Path::new(path)).unwrap_or_else(|| panic!("{path} is missing")))
        .unwrap()
}

#[test]
fn every_template_has_a_test_that_goes_with_its_copies() {
    for template in Template::all(&Project::here()).unwrap() {
        let place = format!("tests/{}.test.mjs", template.name);
        assert!(
            template.folder.join(&place).is_file(),
            "functions/{} lacks {place}",
            template.name
        );
    }
}

#[test]
fn a_copy_bears_its_name_and_leads_nowhere_outside() {
    each_copy(|copy, files| {
        for path in
            ["Cargo.toml", "wrangler.toml", "spin.toml", "README.md", "package.json", "src/lib.rs"]
        {
            let Some(contents) = files.get(Path::new(path)) else { continue };
            let contents = str::from_utf8(contents).unwrap();
            for foreign in [
                copy.template.package(),
                copy.template.package().replace('-', "_"),
                "../../".to_owned(),
                "shared/".to_owned(),
            ] {
                assert!(!contents.contains(&foreign), "{path} of {} says {foreign}", copy.name);
            }
        }
        for (path, contents) in files.iter().filter(|(path, _)| path.starts_with("public")) {
            assert!(
                !String::from_utf8_lossy(contents).contains("cargo harness"),
                "{} of {} names a command that a copy lacks",
                path.display(),
                copy.name
            );
        }
    });
}

#[test]
fn a_copy_holds_its_platforms_and_no_other() {
    each_copy(|copy, files| {
        for (platform, paths, module) in [
            (
                Platform::Workers,
                [
                    "wrangler.toml",
                    "src/workers.rs",
                    "vendor/workers/Cargo.toml",
                    ".dev.vars",
                    ".dev.vars.example",
                ],
                "mod workers;",
            ),
            (
                Platform::Spin,
                ["spin.toml", "src/spin.rs", "vendor/spin/Cargo.toml", ".env", ".env.example"],
                "mod spin;",
            ),
        ] {
            let has = copy.choice.has(platform);
            for path in paths {
                assert_eq!(files.contains_key(Path::new(path)), has, "{path} of {}", copy.name);
            }
            assert_eq!(text(files, "src/lib.rs").contains(module), has);
            assert_eq!(text(files, "Cargo.toml").contains(&format!("tidewire-{platform}")), has);
            assert_eq!(
                text(files, ".github/workflows/ci.yml").contains(&format!("\n  {platform}:\n")),
                has
            );
        }
    });
}

#[test]
fn a_copy_holds_the_client_and_its_command() {
    each_copy(|copy, files| {
        let command = text(files, "vendor/client/bin/tidewire");
        for path in ["bin/command.js", "src/index.ts", "package.json"] {
            assert!(
                files.contains_key(&Path::new("vendor/client").join(path)),
                "{path} of {}",
                copy.name
            );
        }
        assert!(command.contains("./command.js"));
    });
}

#[test]
fn the_manifests_of_a_copy_are_read_and_agree() {
    each_copy(|copy, files| {
        let manifest: toml::Table = toml::from_str(text(files, "Cargo.toml")).unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(copy.name.to_string().as_str()));
        assert!(manifest["profile"]["release"].get("lto").is_some());
        assert!(manifest.contains_key("workspace"));
        if copy.choice.has(Platform::Workers) {
            Manifest::parse("wrangler.toml", text(files, "wrangler.toml")).unwrap();
        }
        if copy.choice.has(Platform::Spin) {
            let spin = text(files, "spin.toml");
            Application::parse("spin.toml", spin).unwrap();
            let spin: toml::Table = toml::from_str(spin).unwrap();
            let component = &spin["component"][copy.name.to_string().as_str()];
            assert_eq!(
                component["source"].as_str(),
                Some(
                    format!("target/wasm32-wasip2/release/{}.wasm", copy.name.snake_case())
                        .as_str()
                )
            );
            assert_eq!(
                component["build"]["command"].as_str(),
                Some(
                    format!("cargo build --release --target wasm32-wasip2 --package {}", copy.name)
                        .as_str()
                )
            );
        }
    });
}

#[test]
fn links_and_commands_of_a_copys_documents_lead_somewhere() {
    each_copy(|copy, files| {
        for document in
            files.keys().filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        {
            let text = text(files, document.to_str().unwrap());
            for link in text
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
                .filter(|link| !link.contains("://") && !link.starts_with('#'))
            {
                let path = document.with_file_name(link.split('#').next().unwrap_or_default());
                assert!(
                    files.contains_key(&path),
                    "{} of {} leads to {link}",
                    document.display(),
                    copy.name
                );
            }
        }
        let readme = text(files, "README.md");
        let package: serde_json::Value = serde_json::from_str(text(files, "package.json")).unwrap();
        for script in
            readme.lines().filter_map(|line| line.strip_prefix("npm run ")?.split(' ').next())
        {
            assert!(
                package["scripts"][script].is_string(),
                "README.md of {} runs {script}",
                copy.name
            );
        }
    });
}

#[test]
fn the_readme_of_a_copy_for_one_platform_names_no_file_and_no_command_of_the_other() {
    each_copy(|copy, files| {
        let foreign: &[&str] = match copy.choice {
            Choice::Both => &[],
            Choice::Workers => &["spin.toml", "spin up", "spin build", "`.env`", "--variable"],
            Choice::Spin => &["wrangler", ".dev.vars", "[vars]", "8787"],
        };
        for foreign in foreign {
            assert!(
                !text(files, "README.md").contains(foreign),
                "README.md of {} for {:?} says {foreign}",
                copy.name,
                copy.choice
            );
        }
    });
}

/// The README's one command for the key works in a copy without a key, which `spin new` and `cargo
/// generate` make.
#[test]
fn one_command_writes_the_key_where_there_is_none_and_changes_none() {
    each_copy(|copy, files| {
        assert!(text(files, "README.md").contains("leave it empty there: `npm run keys` writes"));
        let folder = Folder::new(&format!("keys-{}-{:?}", copy.template.name, copy.choice));
        tree::write(
            &files
                .iter()
                .filter(|(path, _)| path.starts_with("vendor/client"))
                .map(|(path, contents)| (path.clone(), contents.clone()))
                .collect(),
            &folder.0,
        )
        .unwrap();
        let package: serde_json::Value = serde_json::from_str(text(files, "package.json")).unwrap();
        let places: Vec<&str> = copy
            .choice
            .platforms()
            .iter()
            .map(|platform| if *platform == Platform::Workers { ".dev.vars" } else { ".env" })
            .collect();
        for place in &places {
            fs::write(folder.0.join(place), text(files, &format!("{place}.example"))).unwrap();
        }
        let run = || {
            Command::new("sh")
                .args(["-c", package["scripts"]["keys"].as_str().unwrap()])
                .current_dir(&folder.0)
                .output()
                .unwrap()
        };
        let read = || {
            places
                .iter()
                .map(|place| fs::read_to_string(folder.0.join(place)).unwrap())
                .collect::<Vec<_>>()
        };
        assert!(run().status.success());
        let written = read();
        let keys: HashSet<&str> = written
            .iter()
            .map(|file| file.split_once("TICKET_KEYS=\"k1:").unwrap().1.split('"').next().unwrap())
            .collect();
        assert!(keys.len() == 1 && keys.iter().all(|key| key.len() == 43), "{written:?}");
        let again = run();
        assert!(
            !again.status.success()
                && String::from_utf8_lossy(&again.stderr).contains("has a key already")
        );
        assert_eq!(read(), written);
    });
}

#[test]
fn the_settings_of_a_developer_are_settings_and_git_ignores_them() {
    each_copy(|copy, files| {
        for platform in copy.choice.platforms() {
            let (file, prefix) = match platform {
                Platform::Workers => (".dev.vars", ""),
                Platform::Spin => (".env", "SPIN_VARIABLE_"),
            };
            for line in text(files, file).lines().filter(|line| !line.starts_with('#')) {
                let name = line.split('=').next().and_then(|name| name.strip_prefix(prefix));
                assert!(
                    SETTINGS.iter().any(|setting| Some(setting.name) == name),
                    "{file} sets {line}"
                );
            }
            assert!(text(files, ".gitignore").lines().any(|line| line == format!("{file}*")));
        }
    });
}

#[test]
fn each_copy_has_a_key_of_its_own() {
    let keys = RefCell::new(HashSet::new());
    each_copy(|copy, files| {
        for platform in copy.choice.platforms() {
            let place = if *platform == Platform::Workers { ".dev.vars" } else { ".env" };
            let (_, key) = text(files, place).split_once("TICKET_KEYS=\"k1:").unwrap();
            let key = key.split('"').next().unwrap();
            assert!(key.len() == 64 && !text(files, &format!("{place}.example")).contains(key));
            keys.borrow_mut().insert(key.to_owned());
        }
    });
    assert_eq!(keys.borrow().len(), CHOICES.len() * Template::all(&Project::here()).unwrap().len());
}

/// A folder for one copy; its drop removes it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("tidewire-copy-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write_feed(folder: &Path, choice: Choice) {
    let project = Project::here();
    let template = Template::find(&project, "feed").unwrap();
    let name = Name::parse("my-feed", &Lock::read(&project).unwrap()).unwrap();
    Copy { project: &project, template, name, choice }.write(folder).unwrap();
}

#[test]
fn a_copys_lock_file_is_whole_and_holds_our_versions() {
    for choice in CHOICES {
        let folder = Folder::new(&format!("lock-{choice:?}"));
        write_feed(&folder.0, choice);
        // Fails if the file must change. The command needs no crate, only the index, which a build
        // of this test has fetched.
        let status = Command::new("cargo")
            .args(["update", "--workspace", "--locked", "--offline", "--quiet"])
            .current_dir(&folder.0)
            .output()
            .unwrap()
            .status;
        assert!(status.success(), "{choice:?}");
        let versions = |text: &str| -> Vec<String> {
            let lock: toml::Table = toml::from_str(text).unwrap();
            lock["package"]
                .as_array()
                .unwrap()
                .iter()
                .map(|package| format!("{} {}", package["name"], package["version"]))
                .collect()
        };
        let ours =
            versions(&fs::read_to_string(Project::here().root().join("Cargo.lock")).unwrap());
        let mut its = versions(&fs::read_to_string(folder.0.join("Cargo.lock")).unwrap());
        its.retain(|package| !ours.contains(package));
        assert_eq!(its, ["\"my-feed\" \"0.1.0\""]);
    }
}

#[test]
fn an_upgrade_replaces_vendor_alone_and_only_in_a_copy() {
    let project = Project::here();
    let folder = Folder::new("upgrade");
    write_feed(&folder.0, Choice::Workers);
    assert!(vendor::upgrade(&project, &folder.0).unwrap().is_empty());

    let file = folder.0.join("vendor/core/src/lib.rs");
    let ours = fs::read(&file).unwrap();
    fs::write(&file, "// another version").unwrap();
    fs::write(folder.0.join("vendor/core/src/old.rs"), "").unwrap();
    fs::write(folder.0.join("src/lib.rs"), "// the user's").unwrap();
    let changes = vendor::upgrade(&project, &folder.0).unwrap();
    assert_eq!(changes, ["changed vendor/core/src/lib.rs", "gone    vendor/core/src/old.rs"]);
    assert_eq!(fs::read(&file).unwrap(), ours);
    assert!(!folder.0.join("vendor/spin").exists());
    assert_eq!(fs::read_to_string(folder.0.join("src/lib.rs")).unwrap(), "// the user's");

    for other in [
        project.root().join("functions/feed"),
        project.root().to_path_buf(),
        folder.0.join("nothing"),
    ] {
        assert!(
            vendor::upgrade(&project, &other)
                .unwrap_err()
                .to_string()
                .contains("is not a copy of a template")
        );
    }
}

#[test]
fn an_unknown_template_is_answered_by_those_there_are() {
    let error = Template::find(&Project::here(), "nope").err().unwrap().to_string();
    assert!(
        error.starts_with("there is no template nope; there are: ") && error.contains("feed"),
        "{error}"
    );
}
