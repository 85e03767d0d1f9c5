use crate::support::{manifest, refusal};

fn complaint(manifest: &str, arguments: &[&str]) -> String {
    let output = refusal(manifest, arguments);
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "nothing is ready");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn an_unknown_field_is_named() {
    let error = complaint(&manifest("sqlite_database = [\"default\"]", ""), &[]);
    assert!(error.contains("unknown field `sqlite_database`"), "{error}");
}

#[test]
fn a_component_that_was_not_built_is_named() {
    let error = complaint(&manifest("", "[component.other]\nsource = \"missing.wasm\""), &[]);
    assert!(
        error.contains("component \"other\"")
            && error.contains("missing.wasm")
            && error.contains("was it built?"),
        "{error}"
    );
}

#[test]
fn a_variable_that_does_not_exist_is_named() {
    let error = complaint(&manifest("", ""), &["--variable", "nobody=x"]);
    assert!(error.contains("nobody"), "{error}");
    let error = complaint(&manifest("variables = { a = \"{{ nobody }}\" }", ""), &[]);
    assert!(error.contains("unknown variable \"nobody\""), "{error}");
}

#[test]
fn build_commands_run_first_when_asked() {
    let error = complaint(
        &manifest("", "[component.guest.build]\ncommand = [\"true\", \"exit 3\"]"),
        &["--build"],
    );
    assert!(error.contains("the build command of guest failed: exit 3"), "{error}");
}
