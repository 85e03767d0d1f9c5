//! A list of origins.

/// Origins of pages, as `https://app.example.com`, in the form that a browser sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Reads a list separated by commas. `None` if an entry is not an origin: neither wildcards nor
    /// `null` are allowed, because any page can have them.
    pub fn parse(text: &str) -> Option<Origins> {
        let origins =
            text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(|origin| {
                let (scheme, host) = origin.split_once("://")?;
                let is_origin = !scheme.is_empty()
                    && !host.is_empty()
                    && !host.contains(['/', '*', '?', '#', '@']);
                is_origin.then(|| origin.to_ascii_lowercase())
            });
        origins.collect::<Option<Vec<_>>>().map(Origins)
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the list has this origin.
    pub fn contains(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_whole_origins_only() {
        let origins = Origins::parse("https://a.example, HTTP://localhost:5173,").unwrap();
        assert!(origins.contains("https://a.example") && origins.contains("http://localhost:5173"));
        assert!(
            !origins.contains("http://a.example")
                && !origins.contains("https://a.example:444")
                && !origins.contains("https://b.a.example")
        );
        assert!(Origins::parse("").unwrap().is_empty());
        for bad in [
            "*",
            "https://*",
            "null",
            "a.example",
            "https://a.example/",
            "https://",
            "://a",
            "https://a@b",
        ] {
            assert_eq!(Origins::parse(bad), None, "{bad}");
        }
    }
}
