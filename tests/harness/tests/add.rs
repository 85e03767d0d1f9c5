//! `spin add`: components join an application. These tests do what Spin's template engine
//! (crates/templates, 4.1) does, and run Spin itself if it is installed.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;
use tidewire_harness::copy::{source, vendor};
use tidewire_harness::platform::Choice;
use tidewire_harness::project::Project;
use tidewire_harness::spin::Runtime;

/// The manifest that `spin new -t http-empty` writes, with a setting of the application.
const EMPTY: &str = "spin_manifest_version = 2\n\n[application]\nname = \"shop\"\nversion = \"0.1.0\"\nauthors = [\"Ann\"]\ndescription = \"\"\n\n[variables]\ncurrency = { default = \"EUR\" }\n";

/// A folder for one test; its drop removes it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("tidewire-add-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    /// Makes a folder with an application that has no component yet.
    fn with_application(name: &str) -> Self {
        let folder = Self::new(name);
        fs::create_dir(&folder.0).unwrap();
        fs::write(folder.0.join("spin.toml"), EMPTY).unwrap();
        folder
    }

    fn manifest(&self) -> toml::Table {
        toml::from_str(&fs::read_to_string(self.0.join("spin.toml")).unwrap()).unwrap()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All templates, written once for these tests.
fn templates() -> &'static Path {
    static TEMPLATES: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        // No test removes this folder: Rust never drops a static.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates-to-add");
        let _ = fs::remove_dir_all(&folder);
        source::write(&Project::here(), Choice::Both, &folder).unwrap();
        folder.join("templates")
    })
}

#[derive(Deserialize)]
struct Metadata {
    add_component: Variant,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    skip_files: Vec<PathBuf>,
    #[serde(rename = "skip_parameters")]
    _skip_parameters: Vec<String>,
    snippets: BTreeMap<String, String>,
    conditions: BTreeMap<String, Conditional>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conditional {
    condition: BTreeMap<String, String>,
    skip_files: Vec<PathBuf>,
    skip_snippets: Vec<String>,
}

/// `spin add -t TEMPLATE NAME --output OUTPUT --value http-path=PATH`, as the engine does it: it
/// writes nothing if it cannot render everything.
fn add(
    application: &Folder,
    template: &str,
    name: &str,
    output: &str,
    path: &str,
) -> Result<(), String> {
    let (folder, to) = (templates().join(template), application.0.join(output));
    let metadata: Metadata =
        toml::from_str(&fs::read_to_string(folder.join("metadata/spin-template.toml")).unwrap())
            .unwrap();
    let Variant { mut skip_files, mut snippets, conditions, .. } = metadata.add_component;
    let mut manifest = application.manifest();
    for Conditional { condition, skip_files: more, skip_snippets } in conditions.into_values() {
        let mut parts = condition["manifest_entry_exists"].split('.');
        let first = manifest.get(parts.next().unwrap());
        if parts
            .try_fold(first, |entry, part| entry.map(|entry| entry.get(part)))
            .flatten()
            .is_some()
        {
            skip_files.extend(more);
            snippets.retain(|id, _| !skip_snippets.contains(id));
        }
    }
    if fs::read_dir(&to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("Can't generate into {output} as it already contains other files"));
    }
    let parser = liquid::ParserBuilder::with_stdlib().build().unwrap();
    let values = liquid::object!({ "project-name": name, "output-path": output, "http-path": path, "authors": "", "username": "" });
    let fill = |text: &str| {
        // Render only files with Liquid: it is slow, and most files have none.
        let has_liquid = text.contains("{{") || text.contains("{%");
        if has_liquid {
            parser.parse(text).unwrap().render(&values).map_err(|error| error.to_string())
        } else {
            Ok(text.to_owned())
        }
    };
    let mut files = BTreeMap::new();
    let content = folder.join("content");
    let mut folders = vec![content.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let inner = entry.path().strip_prefix(&content).unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if !skip_files.contains(&inner) {
                let contents = fs::read(entry.path()).unwrap();
                files.insert(
                    inner,
                    if let Ok(text) = str::from_utf8(&contents) {
                        fill(text)?.into_bytes()
                    } else {
                        contents
                    },
                );
            }
        }
    }
    let filled: BTreeMap<_, _> = snippets
        .iter()
        .map(|(id, file)| {
            Ok((
                id.as_str(),
                fill(&fs::read_to_string(folder.join("metadata/snippets").join(file)).unwrap())?,
            ))
        })
        .collect::<Result<_, String>>()?;
    if let Some(variables) = filled.get("variables") {
        let table = manifest
            .entry("variables")
            .or_insert_with(|| toml::Table::new().into())
            .as_table_mut()
            .unwrap();
        table.extend(toml::from_str::<toml::Table>(variables).unwrap());
    }
    fs::write(
        application.0.join("spin.toml"),
        format!("{}\n\n{}", toml::to_string(&manifest).unwrap().trim_end(), filled["component"]),
    )
    .unwrap();
    for (path, contents) in files {
        let file = to.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, contents).unwrap();
    }
    Ok(())
}

/// Does what `spin build --profile PROFILE` does, with a script in the place of cargo.
fn build(application: &Folder, profile: Option<&str>) -> Vec<bool> {
    let bin = application.0.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("cargo"), "#!/bin/sh\ntest -e Cargo.toml && echo \"$*\" > built\n").unwrap();
    fs::set_permissions(bin.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), env::var("PATH").unwrap());
    let components = application.manifest()["component"].as_table().unwrap().clone();
    let build = |component: &toml::Value| {
        let folder = application.0.join(component["build"]["workdir"].as_str().unwrap());
        let part = profile.map_or(component, |profile| &component["profile"][profile]);
        let output = Command::new("sh")
            .args(["-c", part["build"]["command"].as_str().unwrap()])
            .env("PATH", &path)
            .current_dir(folder)
            .output()
            .unwrap();
        output.status.success()
    };
    components.values().map(build).collect()
}

#[test]
fn a_component_joins_with_its_variables_and_its_route() {
    let application = Folder::with_application("joins");
    add(&application, "status", "live-status", "live-status", "").unwrap();
    let manifest = application.manifest();
    let own: toml::Table = toml::from_str(
        &fs::read_to_string(Project::here().root().join("functions/status/spin.toml")).unwrap(),
    )
    .unwrap();

    let trigger = &manifest["trigger"]["http"][0];
    assert_eq!(
        (trigger["route"].as_str(), trigger["component"].as_str()),
        (Some("/live-status/..."), Some("live-status"))
    );
    let component = &manifest["component"]["live-status"];
    for (part, profile) in [(component, "release"), (&component["profile"]["debug"], "debug")] {
        assert_eq!(
            part["source"].as_str(),
            Some(format!("live-status/target/wasm32-wasip2/{profile}/live_status.wasm").as_str())
        );
    }
    for field in ["sqlite_databases", "allowed_outbound_hosts", "variables"] {
        assert_eq!(component[field], own["component"]["status"][field], "{field}");
    }
    let mut variables = manifest["variables"].as_table().unwrap().clone();
    assert_eq!(variables.remove("currency").unwrap()["default"].as_str(), Some("EUR"));
    assert_eq!(&variables, own["variables"].as_table().unwrap());
    for alone in [
        "spin.toml",
        "wrangler.toml",
        "package.json",
        ".env",
        ".dev.vars",
        ".github",
        "src/workers.rs",
        "tests/server.mjs",
        "vendor/workers",
    ] {
        assert!(!application.0.join("live-status").join(alone).exists(), "{alone}");
    }
}

#[test]
fn two_components_share_one_vendor_folder_and_settings_that_were_changed_stay() {
    let application = Folder::with_application("two");
    add(&application, "status", "live-status", "live-status", "").unwrap();
    let changed =
        application.read("spin.toml").replace("https://jwks.invalid", "https://keys.example");
    fs::write(application.0.join("spin.toml"), changed).unwrap();
    add(&application, "feed", "news", "parts/news", "/live/...").unwrap();
    assert_eq!(
        application.manifest()["variables"]["jwks_origin"]["default"].as_str(),
        Some("https://keys.example")
    );
    assert_eq!(application.manifest()["trigger"]["http"][1]["route"].as_str(), Some("/live/..."));
    assert!(!application.0.join("parts/news/vendor").exists());

    assert_eq!(build(&application, Some("debug")), [true, true]);
    assert!(
        application.0.join("vendor/core/Cargo.toml").is_file()
            && !application.0.join("live-status/vendor").exists()
    );
    assert_eq!(build(&application, None), [true, true]);
    for (folder, name, core) in [
        ("live-status", "live-status", "../vendor/core"),
        ("parts/news", "news", "../../vendor/core"),
    ] {
        assert_eq!(
            application.read(&format!("{folder}/built")).trim(),
            format!("build --release --target wasm32-wasip2 --package {name}")
        );
        let manifest: toml::Table =
            toml::from_str(&application.read(&format!("{folder}/Cargo.toml"))).unwrap();
        assert_eq!(manifest["dependencies"]["tidewire-core"]["path"].as_str(), Some(core));
        // cargo must find every crate at the path in the manifest, and must need no crate that the
        // lock file lacks.
        let output = Command::new("cargo")
            .args(["update", "--workspace", "--offline", "--quiet"])
            .current_dir(application.0.join(folder))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(vendor::upgrade(&Project::here(), &application.0).unwrap().is_empty());
}

#[test]
fn a_component_joins_a_copy_that_has_vendor_already() {
    let application = Folder::with_application("copy");
    let manifest = format!("{EMPTY}ticket_keys = {{ default = \"\", secret = true }}\n");
    fs::write(application.0.join("spin.toml"), manifest).unwrap();
    add(&application, "chat", "talk", "talk", "").unwrap();
    assert!(!application.0.join("talk/vendor").exists());
    assert_eq!(application.manifest()["variables"].as_table().unwrap().len(), 2);
}

#[test]
fn names_that_are_taken_are_refused_before_anything_is_written() {
    let application = Folder::with_application("taken");
    for name in ["serde", "tidewire-core", "fn"] {
        let refusal = add(&application, "status", name, name, "").unwrap_err();
        assert!(refusal.contains(&format!("{name} is a reserved word or a crate that components are built with: choose another name")), "{refusal}");
        assert!(!application.0.join(name).exists());
    }
    assert_eq!(application.read("spin.toml"), EMPTY);

    add(&application, "status", "board", "board", "").unwrap();
    let manifest = application.read("spin.toml");
    assert!(
        add(&application, "feed", "board", "board", "")
            .unwrap_err()
            .contains("already contains other files")
    );
    assert_eq!(application.read("spin.toml"), manifest);
}

#[test]
fn another_vendor_folder_is_left_alone_and_the_build_says_so() {
    let application = Folder::with_application("foreign");
    fs::create_dir(application.0.join("vendor")).unwrap();
    fs::write(application.0.join("vendor/autoload.php"), "").unwrap();
    add(&application, "status", "board", "board", "").unwrap();
    assert_eq!(build(&application, None), [false]);
    assert_eq!(fs::read_dir(application.0.join("vendor")).unwrap().count(), 1);
}

#[test]
fn the_readme_and_the_test_of_a_component_speak_of_its_place() {
    for (template, path, route) in
        [("status", "/parts/x/...", "/parts/x"), ("chat", "", "/x"), ("streams", "", "/x")]
    {
        let application = Folder::with_application(&format!("readme-{template}"));
        add(&application, template, "x", "x", path).unwrap();
        build(&application, None);
        let readme = application.read("x/README.md");
        for foreign in [
            "npm ",
            "wrangler",
            ".dev.vars",
            "127.0.0.1:8787",
            "v1/stream",
            "left-open",
            "spin new",
        ] {
            assert!(!readme.contains(foreign), "README.md of {template} says {foreign}");
        }
        let addresses: Vec<&str> = readme.split("http://127.0.0.1:3000").skip(1).collect();
        // The test of `streams` gets only the address of the server: the test contains the path.
        let strange: Vec<_> = addresses
            .iter()
            .filter(|rest| {
                !(rest.starts_with(route) || template == "streams" && rest.starts_with(" node"))
            })
            .collect();
        assert!(addresses.len() > 2 && strange.is_empty(), "README.md of {template}: {strange:?}");
        for link in readme
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
            .filter(|link| !link.contains("://") && !link.is_empty())
        {
            assert!(
                application.0.join("x").join(link).exists(),
                "README.md of {template} leads to {link}"
            );
        }
        assert!(!application.read(&format!("x/tests/{template}.test.mjs")).contains("v1/stream"));
    }
}

/// Runs Spin, with its templates in a folder that only this test uses.
fn spin(home: &Path, folder: &Path, program: &Path, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .env("SPIN_DATA_DIR", home)
        .current_dir(folder)
        .output()
        .unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn spin_itself_adds_what_these_tests_add() {
    let program = match Runtime::real() {
        Ok((program, _)) => program,
        Err(reason) => {
            // Without a macro: cargo hides the output of `eprintln!` when a test passes.
            let _ = writeln!(
                std::io::stderr(),
                "spin_itself_adds_what_these_tests_add: not run, {reason}"
            );
            return;
        }
    };
    let (home, ours, its) =
        (Folder::new("home"), Folder::with_application("ours"), Folder::with_application("its"));
    fs::create_dir(&home.0).unwrap();
    let source = templates().parent().unwrap().display().to_string();
    spin(&home.0, &home.0, &program, &["templates", "install", "--dir", &source]).unwrap();
    for (template, name) in [("status", "live-status"), ("feed", "news")] {
        add(&ours, template, name, name, "").unwrap();
        spin(
            &home.0,
            &its.0,
            &program,
            &["add", "-t", &format!("tidewire-{template}"), name, "--accept-defaults"],
        )
        .unwrap();
    }
    assert_eq!(its.manifest(), ours.manifest());
    for path in [
        "live-status/Cargo.toml",
        "live-status/vendor/core/Cargo.toml",
        "news/README.md",
        "news/src/lib.rs",
    ] {
        assert_eq!(its.read(path), ours.read(path), "{path}");
    }
    assert!(!its.0.join("news/vendor").exists());
    let manifest = its.read("spin.toml");
    for (name, refusal) in
        [("serde", "choose another name"), ("news", "already contains other files")]
    {
        let told = spin(
            &home.0,
            &its.0,
            &program,
            &["add", "-t", "tidewire-status", name, "--accept-defaults"],
        )
        .unwrap_err();
        assert!(told.contains(refusal), "{told}");
    }
    assert_eq!(its.read("spin.toml"), manifest);
}
