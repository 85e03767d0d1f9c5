//! The manifests of this repository pass the lint, and the lint finds each kind of mistake.

use std::fs;

use tidewire_core::SETTINGS;
use tidewire_harness::application::{self, Application};
use tidewire_harness::lock::Lock;
use tidewire_harness::manifest::{Manifest, lint};
use tidewire_harness::project::Project;
use tidewire_harness::spin::declaring;
use tidewire_harness::tool::WORKER_BUILD;
use tidewire_harness::workers::KEEP_FEATURES;

const ROOT: &str = r#"
    name = "tidewire"
    compatibility_date = "2026-11-01"
    compatibility_flags = ["enable_request_signal"]
    [[durable_objects.bindings]]
    name = "FEED_CHANNEL"
    class_name = "FeedChannel"
    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["FeedChannel"]
    [build]
    command = """
features=-Clink-arg=--keep-section=target_features
if [ "$WRANGLER_COMMAND" = dev ]; then worker-build --dev; else RUSTFLAGS="$RUSTFLAGS $features" worker-build --release; fi
    """
    watch_dir = ["functions/feed/src", "shared/core/src"]
"#;

/// Returns the mistakes that the lint finds after the first text of the feed's manifest is replaced
/// by the second.
fn problems_of_feed_with(old: &str, new: &str) -> Vec<String> {
    let feed = ROOT
        .replace("\"tidewire\"", "\"tidewire-feed\"")
        .replace("functions/feed/src", "src")
        .replace("shared/", "../../shared/");
    assert!(feed.contains(old), "nothing to replace");
    problems(ROOT, &feed.replace(old, new))
}

fn problems(root: &str, feed: &str) -> Vec<String> {
    let root = Manifest::parse("wrangler.toml", root).unwrap();
    let feed = Manifest::parse("functions/feed/wrangler.toml", feed).unwrap();
    lint(&root, &[feed])
}

#[test]
fn the_manifests_of_this_repository_are_right() {
    let (root, functions) = Manifest::read_all(&Project::here()).unwrap();
    assert!(!functions.is_empty(), "no function has a manifest");
    assert_eq!(lint(&root, &functions), Vec::<String>::new());
}

#[test]
fn the_log_of_every_worker_is_kept() {
    let root = Project::here().root().to_owned();
    let functions =
        std::fs::read_dir(root.join("functions")).unwrap().map(|folder| folder.unwrap().path());
    let manifests: Vec<_> = functions
        .chain([root])
        .map(|folder| folder.join("wrangler.toml"))
        .filter(|path| path.exists())
        .collect();
    assert!(manifests.len() > 1);
    for path in manifests {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\n[observability]\nenabled = true\n"), "{}", path.display());
    }
}

#[test]
fn the_manifests_pin_the_worker_build_that_fits_the_lock_file() {
    let project = Project::here();
    let wanted = WORKER_BUILD.wanted(&Lock::read(&project).unwrap()).unwrap();
    let (root, functions) = Manifest::read_all(&project).unwrap();
    for manifest in [root].iter().chain(&functions) {
        assert_eq!(manifest.pinned_worker_build(), Some(wanted.as_str()), "{}", manifest.place);
    }
}

#[test]
fn a_build_that_installs_worker_build_first_says_so_and_how_long_it_takes() {
    let (root, functions) = Manifest::read_all(&Project::here()).unwrap();
    for manifest in [root].iter().chain(&functions) {
        let command = manifest.build_command().unwrap();
        let (before, install) = command.split_once("cargo install ").unwrap();
        assert!(
            before.contains("echo 'worker-build is missing") && before.contains(" minutes'"),
            "{}: {command}",
            manifest.place
        );
        assert!(!install.contains("quiet"), "{}: {command}", manifest.place);
    }
}

#[test]
fn a_right_manifest_has_no_problem() {
    assert!(problems_of_feed_with("v1", "v1").is_empty());
}

#[test]
fn a_binding_without_its_migration_is_found() {
    assert_eq!(
        problems_of_feed_with(r#"["FeedChannel"]"#, "[]"),
        [
            "functions/feed/wrangler.toml: FeedChannel is in no new_sqlite_classes: add it to a migration"
        ]
    );
}

#[test]
fn a_class_in_two_migrations_is_found() {
    let twice = "new_sqlite_classes = [\"FeedChannel\"]\n[[migrations]]\ntag = \"v2\"\nnew_sqlite_classes = [\"FeedChannel\"]";
    assert_eq!(
        problems_of_feed_with(r#"new_sqlite_classes = ["FeedChannel"]"#, twice),
        ["functions/feed/wrangler.toml: FeedChannel is in two migrations: remove one"]
    );
}

#[test]
fn a_tag_used_twice_is_found() {
    let twice = "tag = \"v1\"\n[[migrations]]\ntag = \"v1\"";
    assert_eq!(
        problems_of_feed_with(r#"tag = "v1""#, twice),
        ["functions/feed/wrangler.toml: two migrations have the tag v1"]
    );
}

#[test]
fn a_migration_without_its_binding_is_found() {
    assert_eq!(
        problems_of_feed_with(r#"["FeedChannel"]"#, r#"["FeedChannel", "OldChannel"]"#),
        ["functions/feed/wrangler.toml: OldChannel has a migration but no binding"]
    );
}

#[test]
fn a_class_that_the_root_does_not_bind_is_found() {
    assert_eq!(
        problems_of_feed_with("FeedChannel", "RoomChannel"),
        ["functions/feed/wrangler.toml: RoomChannel is not bound as FEED_CHANNEL in the root"]
    );
}

#[test]
fn another_date_other_flags_and_another_name_are_found() {
    for (old, new, problem) in [
        ("2026-11-01", "2026-10-01", "compatibility_date differs from the root's"),
        ("enable_request_signal", "nodejs_compat", "compatibility_flags differ from the root's"),
        ("tidewire-feed", "my-feed", "the name is my-feed, not tidewire-feed"),
    ] {
        let problem = format!("functions/feed/wrangler.toml: {problem}");
        assert_eq!(problems_of_feed_with(old, new), [problem]);
    }
}

#[test]
fn a_build_that_is_watched_is_found() {
    for (watched, output) in [
        ("build", "functions/*/build"),
        (".", "functions/*/build"),
        ("../../shared", "shared/client/build"),
        ("../..", "target"),
    ] {
        let problem = format!(
            "functions/feed/wrangler.toml: {watched} is watched, and builds write {output}"
        );
        assert_eq!(problems_of_feed_with("../../shared/core/src", watched), [problem]);
    }
}

#[test]
fn a_build_that_deploys_what_is_developed_is_found() {
    for (old, new) in [("--release", "--dev"), ("$RUSTFLAGS $features", "$RUSTFLAGS")] {
        let [problem] = &problems_of_feed_with(old, new)[..] else { panic!("one problem") };
        assert!(
            problem.starts_with("functions/feed/wrangler.toml: the build command must contain `"),
            "{problem}"
        );
    }
}

#[test]
fn the_suites_run_what_is_deployed() {
    let (root, _) = Manifest::read_all(&Project::here()).unwrap();
    let command = root.build_command().unwrap();
    assert!(command.contains(&format!("\nfeatures={KEEP_FEATURES}\n")), "{command}");
}

#[test]
fn a_setting_that_opens_channels_is_found_in_any_environment() {
    for table in ["vars", "env.preview.vars"] {
        let root = format!("{ROOT}\n[{table}]\nOPEN_ACCESS = \"true\"");
        let feed = ROOT
            .replace("\"tidewire\"", "\"tidewire-feed\"")
            .replace("functions/feed/src", "src")
            .replace("shared/", "../../shared/");
        assert_eq!(
            problems(&root, &feed),
            ["wrangler.toml: [vars] sets OPEN_ACCESS, which only tests may set: remove it"]
        );
    }
}

const SPIN_ROOT: &str = r#"
    spin_manifest_version = 2
    [application]
    name = "tidewire"
    version = "0.1.0"
    description = "Channels"
    [variables]
    retry_ms = { default = "2000" }
    [[trigger.http]]
    route = "/feed/..."
    component = "feed"
    [component.feed]
    source = "target/release/feed.wasm"
    sqlite_databases = ["default"]
    variables = { retry_ms = "{{ retry_ms }}" }
    build = { command = "cargo build --release", watch = ["functions/feed/src/**"] }
    profile.debug = { source = "target/debug/feed.wasm", build.command = "cargo build" }
"#;

/// Returns the mistakes that the lint finds after the first text of the feed's application is
/// replaced by the second.
fn problems_of_spin_feed_with(old: &str, new: &str) -> Vec<String> {
    let feed = SPIN_ROOT
        .replace("\"tidewire\"", "\"tidewire-feed\"")
        .replace("target/", "../../target/")
        .replace("functions/feed/", "")
        .replace("cargo build --release", "cargo build --release --target-dir ../../target")
        .replace("\"cargo build\"", "\"cargo build --target-dir ../../target\"");
    assert!(feed.contains(old), "nothing to replace");
    let root = Application::parse("spin.toml", SPIN_ROOT).unwrap();
    let feed = Application::parse("functions/feed/spin.toml", &feed.replace(old, new)).unwrap();
    application::lint(
        &root,
        &[feed],
        &[("retry_ms".to_owned(), "2000"), ("page_max_events".to_owned(), "1000")],
        &["retry_ms"],
    )
}

#[test]
fn the_applications_of_this_repository_are_right() {
    // On Spin the route of a function is its base path.
    let settings = SETTINGS
        .iter()
        .filter(|setting| setting.name != "BASE_PATH")
        .map(|setting| (setting.name.to_lowercase(), setting.default));
    let (root, functions) = Application::read_all(&Project::here()).unwrap();
    assert!(!functions.is_empty(), "no function has an application");
    assert_eq!(
        application::lint(&root, &functions, &settings.collect::<Vec<_>>(), &application::DECLARED),
        Vec::<String>::new()
    );
}

#[test]
fn a_field_that_spin_does_not_know_is_refused() {
    for (old, new) in
        [("sqlite_databases", "sqlite_database"), ("route =", "path ="), ("description", "summary")]
    {
        assert!(Application::parse("spin.toml", &SPIN_ROOT.replace(old, new)).is_err(), "{new}");
    }
}

#[test]
fn each_fault_of_an_application_is_found() {
    assert!(problems_of_spin_feed_with("feed", "feed").is_empty());
    for (old, new, problem) in [
        (
            "component = \"feed\"",
            "component = \"chat\"",
            "the route /feed/... leads to chat, which is not a component",
        ),
        ("\"2000\"", "\"1000\"", "the default of retry_ms is 1000, not 2000"),
        ("retry_ms = { default", "retry = { default", "the variable retry_ms is missing"),
        (
            "retry_ms = { default = \"2000\" }",
            "retry_ms = { default = \"2000\" }\npage_max_events = { default = \"9\" }",
            "the default of page_max_events is 9, not 1000",
        ),
        (
            "retry_ms = { default = \"2000\" }",
            "retry_ms = { default = \"2000\" }\npages = { default = \"1\" }",
            "the variable pages is not a setting",
        ),
        (
            "retry_ms = { default = \"2000\" }",
            "retry_ms = { default = \"2000\" }\npage_max_events = { default = \"1000\" }",
            "feed must get all variables, each under its own name",
        ),
        ("{{ retry_ms }}", "500", "feed must get all variables, each under its own name"),
        ("[\"default\"]", "[]", "feed lacks sqlite_databases = [\"default\"]"),
        ("tidewire-feed", "my-feed", "the name is my-feed, not tidewire-feed"),
        ("../../target", "target", "the source of feed is not the root's"),
        ("cargo build --release", "make --release", "feed differs from the root's"),
        (
            "target/debug",
            "target/release",
            "the profile debug of feed is not its build without --release",
        ),
        (
            "\"src/**",
            "\"../../shared/**",
            "../../shared/** is watched, and builds write shared/client/build",
        ),
    ] {
        let problem = format!("functions/feed/spin.toml: {problem}");
        assert!(problems_of_spin_feed_with(old, new).contains(&problem), "{problem}");
    }
}

#[test]
fn a_setting_that_no_manifest_declares_can_be_set() {
    let root = Project::here().root().to_path_buf();
    let (manifest, state) = (
        root.join("spin.toml"),
        std::env::temp_dir().join(format!("tidewire-manifest-{}", std::process::id())),
    );
    fs::create_dir_all(&state).unwrap();
    assert_eq!(declaring(&manifest, &["open_access=true".into()], &state).unwrap(), manifest);
    let copy = fs::read_to_string(
        declaring(&manifest, &["open_access=true".into(), "retry_ms=500".into()], &state).unwrap(),
    )
    .unwrap();
    let (copy, ours): (toml::Table, toml::Table) = (
        toml::from_str(&copy).unwrap(),
        toml::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap(),
    );
    assert_eq!(copy["variables"]["retry_ms"]["default"].as_str(), Some(""));
    let source = |manifest: &toml::Table| {
        manifest["component"]["feed"]["profile"]["debug"]["source"].as_str().unwrap().to_owned()
    };
    assert_eq!(source(&copy), root.join(source(&ours)).display().to_string());
    for (id, component) in copy["component"].as_table().unwrap() {
        assert_eq!(
            component.get("variables").map(|given| given["retry_ms"].as_str()),
            (id != "gallery").then_some(Some("{{ retry_ms }}")),
            "{id}"
        );
    }
    fs::remove_dir_all(&state).unwrap();
}
