//! Every template has the parts of a template, and every list of templates names it.

use std::collections::BTreeSet;
use std::fs;

use tidewire_harness::copy::template::Template;
use tidewire_harness::project::Project;

/// Templates without a page: `streams` is a log for programs, so a browser test would have nothing
/// to open.
const WITHOUT_PAGE: [&str; 1] = ["streams"];
/// Templates whose suite has another name: that of `streams` is named after the protocol, whose
/// public tests it runs.
const SUITE: [(&str, &str); 1] = [("streams", "durable-streams")];

/// The sections of a README, in this order; other sections may be between them.
const SECTIONS: [&str; 5] = [
    "Coming from",
    "How it works",
    "First three things to change",
    "Limits",
    "What it does not do",
];
const COMMANDS: &str = "```sh\nnpx wrangler dev      # Cloudflare Workers; `npx wrangler deploy` ships it\nspin build --up       # Spin 4.1 or newer; then the port is 3000\n```";
const LIMITS: &str = "\n| limit | unit | default | where to change |\n";
const COST: &str = "\n**Cost** on Workers Paid, beyond what is included: ";
const RELIEF: &str = "What stops being your problem: ";

/// Returns a sentence for each part that a template's README lacks.
fn readme_problems(name: &str, readme: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            problems.push(format!("functions/{name}/README.md: {what}"));
        }
    };
    demand(readme.starts_with(&format!("# {name}: ")), "the title does not begin with its name");
    demand(
        readme.contains(COMMANDS),
        "the two commands are missing, or differ from the other templates'",
    );
    let titles: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut rest = titles.iter();
    for section in SECTIONS {
        demand(
            rest.any(|title| *title == section),
            &format!("the section `{section}` is missing, or out of its order"),
        );
    }
    let section = |title: &str| {
        readme
            .split_once(&format!("\n## {title}\n"))
            .and_then(|(_, text)| text.split("\n## ").next())
            .unwrap_or_default()
    };
    let from = section(SECTIONS[0]);
    demand(from.contains("\n```"), "`Coming from` shows no code");
    let relief = from
        .split_once(RELIEF)
        .map_or("", |(_, text)| text.split("\n\n").next().unwrap_or_default());
    demand(
        relief.matches("**").count() == 6,
        "`Coming from` does not name the three things that stop being a problem",
    );
    let steps: Vec<&str> = section(SECTIONS[2])
        .lines()
        .filter_map(|line| line.split_once(". "))
        .map(|(number, _)| number)
        .filter(|number| number.parse::<u8>().is_ok())
        .collect();
    demand(steps == ["1", "2", "3"], "there are not three things to change first");
    demand(section(SECTIONS[3]).contains(LIMITS), "the table of limits has other columns");
    let cost = section(SECTIONS[3])
        .split_once(COST)
        .map_or("", |(_, text)| text.split("\n\n").next().unwrap_or_default());
    demand(cost.contains(" USD"), "the limits end without what it costs");
    problems
}

#[test]
fn every_readme_has_all_that_a_copier_asks() {
    let templates = Template::all(&Project::here()).unwrap();
    let problems: Vec<_> = templates
        .iter()
        .flat_map(|template| {
            readme_problems(
                &template.name,
                &fs::read_to_string(template.folder.join("README.md")).unwrap(),
            )
        })
        .collect();
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn each_fault_of_a_readme_is_found() {
    let readme =
        fs::read_to_string(Project::here().root().join("functions/status/README.md")).unwrap();
    for (old, new, problem) in [
        ("# status: ", "# Status: ", "the title does not begin with its name"),
        (
            "npx wrangler dev",
            "wrangler dev",
            "the two commands are missing, or differ from the other templates'",
        ),
        ("\n## Limits", "\n## Bounds", "the section `Limits` is missing, or out of its order"),
        (
            "\n## How it works",
            "\n## Inside",
            "the section `How it works` is missing, or out of its order",
        ),
        (
            "**the interval**",
            "the interval",
            "`Coming from` does not name the three things that stop being a problem",
        ),
        ("\n3. ", "\n", "there are not three things to change first"),
        ("**Cost**", "Cost", "the limits end without what it costs"),
    ] {
        assert!(readme.contains(old), "nothing to replace: {old}");
        let problems = readme_problems("status", &readme.replacen(old, new, 1));
        assert!(
            problems.contains(&format!("functions/status/README.md: {problem}")),
            "{problem}: {problems:?}"
        );
    }
}

#[test]
fn every_template_is_tested_alone_beside_the_others_and_in_a_browser() {
    let project = Project::here();
    let mut missing = Vec::new();
    for Template { name, folder } in Template::all(&project).unwrap() {
        let suite = SUITE
            .iter()
            .find(|(template, _)| *template == name)
            .map_or(name.as_str(), |(_, suite)| suite);
        let mut wanted = vec![
            folder.join(format!("tests/{name}.test.mjs")),
            project.tests().join(format!("conformance/{suite}.test.ts")),
        ];
        let has_page = folder.join("public/index.html").is_file();
        assert_ne!(has_page, WITHOUT_PAGE.contains(&name.as_str()), "whether {name} has a page");
        if has_page {
            // The job of the page: browser/pages and browser/screenshots do it.
            wanted.extend([
                project.tests().join(format!("browser/{name}.test.ts")),
                project.tests().join(format!("harness/jobs/{name}.ts")),
            ]);
        }
        missing.extend(wanted.into_iter().filter(|file| !file.is_file()));
    }
    assert_eq!(missing, Vec::<std::path::PathBuf>::new());
}

#[test]
fn every_page_is_made_of_short_modules_over_the_one_client() {
    let project = Project::here();
    let mut problems = Vec::new();
    let mut access = BTreeSet::new();
    for Template { name, folder } in Template::all(&project).unwrap() {
        let Ok(files) = fs::read_dir(folder.join("public")) else { continue };
        for file in files
            .map(|file| file.unwrap().path())
            .filter(|file| file.extension().is_some_and(|extension| extension == "js"))
        {
            let script = fs::read_to_string(&file).unwrap();
            let module = format!("{name}/{}", file.file_name().unwrap().to_string_lossy());
            if script.lines().count() > 200 {
                problems.push(format!("{module} has more than 200 lines"));
            }
            for raw in ["new WebSocket", "new EventSource", "fetch("]
                .into_iter()
                .filter(|raw| script.contains(raw))
            {
                // Node backends use this module as well.
                if module != "progress/job.js" {
                    problems.push(format!("{module}: {raw} beside the client"));
                }
            }
            if module.ends_with("/access.js") {
                access.insert(script);
            }
        }
    }
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(access.len(), 1, "each page gives its ticket in the same line");
}

#[test]
fn every_template_stands_wherever_they_are_listed() {
    let project = Project::here();
    let mut problems = Vec::new();
    for Template { name, folder } in Template::all(&project).unwrap() {
        let bindings: toml::Table =
            toml::from_str(&fs::read_to_string(folder.join("wrangler.toml")).unwrap()).unwrap();
        let bindings = bindings["durable_objects"]["bindings"].as_array().unwrap();
        let class = |binding: &toml::Value| {
            format!(
                "{}: \"{}\"",
                binding["name"].as_str().unwrap(),
                binding["class_name"].as_str().unwrap()
            )
        };
        let route = if name == "streams" {
            "route = \"/v1/stream/...\"".to_owned()
        } else {
            format!("route = \"/{name}/...\"")
        };
        let mut lists = vec![
            ("README.md", format!("](functions/{name}/README.md)")),
            (
                "functions/gateway/Cargo.toml",
                format!("tidewire-{name} = {{ path = \"../{name}\", default-features = false }}"),
            ),
            ("functions/gateway/Cargo.toml", "debug-js-glue = false".to_owned()),
            ("functions/gateway/src/workers.rs", format!("{name}::fetch(")),
            (
                "functions/gateway/public/cards/cards.js",
                format!("import {{ card as {name} }} from"),
            ),
            ("spin.toml", format!("{route}\ncomponent = \"{name}\"")),
        ];
        let own = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(
            own.contains(
                "[package.metadata.wasm-pack.profile.dev.wasm-bindgen]\ndebug-js-glue = false\n"
            ),
            "{name}: SSE would fail under `wrangler dev`"
        );
        lists.extend(bindings.iter().map(|binding| ("tests/harness/serve.mjs", class(binding))));
        problems.extend(lists.into_iter().filter(|(file, entry)| {
            !fs::read_to_string(project.root().join(file)).unwrap().contains(entry)
        }));
    }
    assert_eq!(problems, Vec::<(&str, String)>::new());
}

#[test]
fn every_class_and_component_of_the_root_belongs_to_a_template() {
    let project = Project::here();
    let root = |file: &str| -> toml::Table {
        toml::from_str(&fs::read_to_string(project.root().join(file)).unwrap()).unwrap()
    };
    let templates: Vec<String> =
        Template::all(&project).unwrap().into_iter().map(|template| template.name).collect();
    let components: Vec<String> = root("spin.toml")["component"]
        .as_table()
        .unwrap()
        .keys()
        .filter(|id| *id != "gallery")
        .cloned()
        .collect();
    assert_eq!(components, templates);
    let wrangler = root("wrangler.toml");
    let bindings = wrangler["durable_objects"]["bindings"].as_array().unwrap();
    let bound: Vec<&str> = bindings
        .iter()
        .filter_map(|binding| binding["name"].as_str()?.strip_suffix("_CHANNEL"))
        .collect();
    assert_eq!(bound, templates.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>());
}
