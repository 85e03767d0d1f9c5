//! `public/*.d.ts` of each template describes the messages of its `src/message.rs`.
//! `UPDATE_EXPECT=1 cargo test -p tidewire-harness --test messages` writes it again.

use std::collections::BTreeMap;
use std::fs;

use expect_test::expect_file;
use tidewire_harness::project::Project;
use ts_rs::{Config, TS};

/// The messages of a template, which `build.rs` included.
macro_rules! messages {
    ($($template:ident)*) => {
        $(
            #[allow(dead_code, reason = "read by TypeScript")]
            mod $template {
                include!(concat!(env!("OUT_DIR"), "/", stringify!($template), ".rs"));
            }
        )*
    };
}

messages! { chat feed notifications progress status }

/// A type, with its documentation.
fn declaration<T: TS>() -> String {
    format!(
        "{}export {}\n",
        T::docs().unwrap_or_default(),
        T::decl(&Config::new().with_large_int("number"))
    )
}

#[test]
fn each_page_has_the_types_of_its_messages() {
    let declarations = BTreeMap::from([
        ("chat", vec![declaration::<chat::RoomEvent>(), declaration::<chat::Person>()]),
        ("feed", vec![declaration::<feed::Sample>()]),
        ("notifications", vec![declaration::<notifications::InboxEvent>()]),
        ("progress", vec![declaration::<progress::JobState>(), declaration::<progress::Kind>()]),
        (
            "status",
            vec![
                declaration::<status::Board>(),
                declaration::<status::Component>(),
                declaration::<status::Condition>(),
            ],
        ),
    ]);
    let functions = Project::here().root().join("functions");
    for entry in fs::read_dir(&functions).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let types = declarations.get(name).map(|types| types.join("\n"));
        assert_eq!(types.is_some(), folder.join("src/message.rs").exists(), "{name}");
        if let Some(types) = types {
            let file = folder.join(format!("public/{name}.d.ts"));
            expect_file![file].assert_eq(&format!(
                "// The types of src/message.rs, for TypeScript: change both together.\n\n{types}"
            ));
        }
    }
}
