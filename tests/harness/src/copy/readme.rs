//! The README of a copy: the README of its template, with the commands for a folder of its own.

use anyhow::{Context, Result};

use super::component::{FOLDER, PARENT, ROUTE};
use super::manifest;
use super::name::Name;
use super::template::Template;
use crate::platform::{Choice, Platform};

/// First line of the block that starts a template in this repository.
const COMMANDS: &str = "```sh\nnpx wrangler dev";
/// Marks the paragraph about starting it in this repository.
const PLACE: &str = "`shared/` beside `functions/`";

/// Sentences of the templates about both platforms, each with its form in a copy for Workers and in
/// a copy for Spin.
const SENTENCES: [(&str, &str, &str); 3] = [
    (
        "Variables go under `[vars]` in `wrangler.toml`, or, in lower case, into `spin.toml` ([two lines](vendor/core/SETTINGS.md#how-to-set-one)).",
        "Variables go under `[vars]` in `wrangler.toml`.",
        "Variables go, in lower case, into `spin.toml` ([two lines](vendor/core/SETTINGS.md#how-to-set-one)).",
    ),
    (
        "`OPEN_ACCESS=\"true\"` in `.dev.vars` (`spin up --variable open_access=true`)",
        "`OPEN_ACCESS=\"true\"` in `.dev.vars`",
        "`spin up --variable open_access=true`",
    ),
    (
        " On Workers, with the bucket that `wrangler.toml` shows, it also stores the file in R2, under the channel's name, in parts of 8 MiB; except files of `demo-` channels, which\nanyone may send.",
        " With the bucket that `wrangler.toml` shows, it also stores the file in R2, under the channel's name, in parts of 8 MiB; except files of `demo-` channels, which\nanyone may send.",
        "",
    ),
];

/// # Errors
/// When the template's README does not say how to start it in the place where the other templates
/// do.
pub fn readme(text: &str, template: &Template, name: &Name, choice: Choice) -> Result<String> {
    let title = format!("# {}: ", template.name);
    let text = text
        .strip_prefix(&title)
        .with_context(|| format!("README.md does not begin with `{title}`"))?;
    let mut paragraphs: Vec<String> =
        manifest::named(text, template, name).split("\n\n").map(str::to_owned).collect();
    for (mark, new) in [(COMMANDS, commands(choice)), (PLACE, place(choice))] {
        let old = paragraphs
            .iter_mut()
            .find(|paragraph| paragraph.contains(mark))
            .with_context(|| format!("README.md has no paragraph with `{mark}`"))?;
        *old = new;
    }
    let mut text = format!("# {name}: {}", paragraphs.join("\n\n"));
    for (both, workers, spin) in SENTENCES {
        match choice {
            Choice::Workers => text = text.replace(both, workers),
            Choice::Spin => text = text.replace(both, spin),
            Choice::Both => {}
        }
    }
    // The address where `spin up` listens.
    Ok(if choice.has(Platform::Workers) {
        text
    } else {
        text.replace("127.0.0.1:8787", "127.0.0.1:3000")
    })
}

/// The README of a component, made of the README of a copy for Spin; `prefix` is the beginning of
/// the copy's route.
pub fn component(text: &str, name: &Name, prefix: &str, own_test: &str) -> Result<String> {
    let address = "http://127.0.0.1:3000";
    // The test of a template with a prefix names the prefix, too.
    let base = if prefix.is_empty() { format!("{address}{ROUTE}") } else { address.to_owned() };
    let mut text = text.replace("](vendor/", &format!("]({PARENT}vendor/"));
    if prefix.is_empty() {
        text = text.replace(address, &base).replace("\"/demo-", &format!("\"{ROUTE}/demo-"));
    } else {
        text = text.replace(prefix, ROUTE);
    }
    let commands = format!(
        "```sh\nrustup target add wasm32-wasip2\nspin up --build --profile debug     # where `spin.toml` is; serves on {address}{ROUTE}/\n\
         BASE_URL={base} node --test {FOLDER}/{own_test}     # publishes and reads on each transport\n```"
    );
    let place = format!(
        "You need [rustup](https://rustup.rs) and Spin 4.1 or newer; Node 22.18 for the test and the command `tidewire`. {name} shares three things with every other component of Tidewire in its application: the settings under \
         `[variables]`, the database, so that two components of one template hold the same channels, and `vendor/` beside `spin.toml`, which the first build adds. Tickets open channels other than those under `demo-`: \
         `node vendor/client/bin/tidewire keys --into .env` beside `spin.toml` writes their key, unless there is one. Keep `.env` out of git; nothing deployed has it: `--variable ticket_keys=` sets a key there. \
         Do not change `vendor/`: `cargo harness new --upgrade` in Tidewire's repository replaces it, in the folder of `spin.toml`."
    );
    let (own_commands, own_place) = (self::commands(Choice::Spin), self::place(Choice::Spin));
    for (old, new) in [(own_commands.replace(address, &base), commands), (own_place, place)] {
        anyhow::ensure!(text.contains(&old), "README.md does not hold `{old}`");
        text = text.replace(&old, &new);
    }
    Ok(text)
}

fn commands(choice: Choice) -> String {
    let lines = match choice {
        Choice::Workers => vec![
            ("rustup target add wasm32-unknown-unknown", ""),
            ("npm install", "wrangler, as package.json pins it"),
            (
                "npm run dev",
                "serves on http://127.0.0.1:8787; the first time it installs worker-build, in 2 to 4 minutes, and builds everything",
            ),
            ("npm test", "publishes and reads on each transport"),
            ("npm run deploy", "ships it to Cloudflare Workers"),
        ],
        Choice::Spin => vec![
            ("rustup target add wasm32-wasip2", ""),
            ("npm run dev", "Spin 4.1 or newer serves on http://127.0.0.1:3000"),
            ("npm test", "publishes and reads on each transport"),
            (
                "npm run deploy -- ghcr.io/you/app:1",
                "pushes the application for `spin up --from` elsewhere",
            ),
        ],
        Choice::Both => vec![
            ("rustup target add wasm32-unknown-unknown wasm32-wasip2", ""),
            ("npm install", "wrangler, as package.json pins it"),
            (
                "npm run dev",
                "serves on http://127.0.0.1:8787; the first time it installs worker-build, in 2 to 4 minutes, and builds everything",
            ),
            ("npm test", "publishes and reads on each transport"),
            ("npm run deploy", "ships it to Cloudflare Workers"),
            ("npm run dev:spin", "the same on Spin 4.1 or newer; then the port is 3000"),
            ("npm run test:spin", ""),
        ],
    };
    let line = |(command, comment): (&str, &str)| {
        if comment.is_empty() {
            format!("{command}\n")
        } else {
            format!("{command:<37} # {comment}\n")
        }
    };
    format!("```sh\n{}```", lines.into_iter().map(line).collect::<String>())
}

fn place(choice: Choice) -> String {
    let (files, one, deployed) = match choice {
        Choice::Workers => ("`.dev.vars`", "a key", "`npx wrangler secret put TICKET_KEYS`"),
        Choice::Spin => ("`.env`", "a key", "`--variable ticket_keys=`"),
        Choice::Both => (
            "`.dev.vars` and `.env`",
            "the same key",
            "`npx wrangler secret put TICKET_KEYS` or `--variable ticket_keys=`",
        ),
    };
    format!(
        "You need [rustup](https://rustup.rs) and Node 22.18 or newer. Tickets open channels other than those under `demo-`. `cargo harness new` wrote a key for this project's tickets into {files}; \
         `spin new` and `cargo generate` cannot, and leave it empty there: `npm run keys` writes {one}. Git ignores {files}, and nothing deployed has the key: {deployed} sets one there. \
         To test a running server: `BASE_URL=http://… npm test`. \
         `node vendor/client/bin/tidewire --help` publishes, follows a channel, makes keys and mints tickets. Do not change `vendor/`: `cargo harness new --upgrade` in Tidewire's repository replaces it.",
    )
}
