//! The command as a shell sees it: its help, its exit codes, and no colours in a pipe.

use std::process::{Command, Output};

fn harness(arguments: &[&str]) -> Output {
    // The variable asks for colours, but a pipe must get none.
    let output = Command::new(env!("CARGO_BIN_EXE_tidewire-harness"))
        .args(arguments)
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    assert!(
        !output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b),
        "{arguments:?} colours what is piped"
    );
    output
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn every_subcommand_has_help_with_an_example_that_names_it() {
    let output = harness(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    assert!(help.contains("Example:\n  cargo harness "), "{help}");
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.contains(&"up") && names.contains(&"new"), "{names:?}");
    for name in names {
        let output = harness(&[name, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            text(&output.stdout).contains(&format!("Example:\n  cargo harness {name}")),
            "{name} has no example"
        );
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_a_failure_with_1() {
    for arguments in [
        &[][..],
        &["nope"],
        &["up", "--nope"],
        &["new", "feed"],
        &["new", "--templates", "/tmp/a", "--upgrade", "/tmp/b"],
    ] {
        let output = harness(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    let output = harness(&["new", "nope", "/tmp/nope"]);
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
    assert_eq!(text(&output.stderr).lines().count(), 1, "one sentence says what is wrong");
}
