//! The figures of `tests/bench/COST.md` follow from its prices, counts and formulas, and the READMEs
//! have its figures. `UPDATE_EXPECT=1 cargo test -p tidewire-harness --test cost` writes the page
//! again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use expect_test::expect_file;
use tidewire_harness::copy::template::Template;
use tidewire_harness::project::Project;

const PAGE: &str = include_str!("../../bench/COST.md");
const FUNCTIONS: &str = include_str!("../../../functions/README.md");

const PRICES: &str = "| unit | included | ";
const OPERATIONS: &str = "| operation | ";
const CASES: &str = "| case | what happens in a month |";
const BILLS: &str = "| case | Worker requests | ";
const TRANSPORTS: &str = "| transport | a quiet channel | ";
const READMES: &str = "| README | of what | ";

/// What is billed, in the order of the prices.
const UNITS: usize = 7;
/// Milliseconds of an object in the table of operations, GB-s in that of the prices.
const AWAKE: usize = 3;
const GB_S_A_MS: f64 = 0.128 / 1_000.0;
const LOG: usize = 6;
/// The plan's own price, in USD a month.
const PLAN: f64 = 5.0;

type Usage = [f64; UNITS];

struct Price {
    included: f64,
    usd_a_million: f64,
}

/// Prices, and what each operation uses.
struct Inputs {
    prices: Vec<Price>,
    operations: HashMap<&'static str, Usage>,
}

fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// The rows of the table whose head begins so.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = PAGE.split_once(&format!("\n{head}")).unwrap_or_else(|| panic!("{head}"));
    rest.lines().skip(2).take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// A blank is nothing.
fn number(cell: &str) -> f64 {
    let digits = cell.replace(',', "");
    if digits.is_empty() { 0.0 } else { digits.parse().unwrap_or_else(|_| panic!("{cell}")) }
}

fn usd(amount: f64) -> String {
    if amount < 0.0995 { format!("{amount:.3}") } else { format!("{amount:.2}") }
}

impl Inputs {
    fn read() -> Inputs {
        let prices: Vec<_> = table(PRICES)
            .iter()
            .map(|row| Price { included: number(row[1]), usd_a_million: number(row[2]) })
            .collect();
        assert_eq!(prices.len(), UNITS);
        let operations = table(OPERATIONS)
            .iter()
            .map(|row| (row[0], std::array::from_fn(|unit| number(row[unit + 1]))))
            .collect();
        Inputs { prices, operations }
    }

    /// What a formula uses: terms with `+` between them, each a product of numbers and an operation.
    fn usage(&self, formula: &str) -> Usage {
        let mut sum = [0.0; UNITS];
        for term in formula.split(" + ") {
            let mut factors: Vec<_> = term.split(" × ").collect();
            let operation = factors.pop().unwrap_or_default();
            let used = self.operations.get(operation).unwrap_or_else(|| panic!("{operation}"));
            let count: f64 = factors.into_iter().map(number).product();
            for (sum, used) in sum.iter_mut().zip(used) {
                *sum += count * used;
            }
        }
        sum[AWAKE] *= GB_S_A_MS;
        sum
    }

    /// The price of all units, or of those beyond what is included.
    fn price(&self, usage: &Usage, is_all: bool) -> f64 {
        let units = usage.iter().zip(&self.prices);
        units
            .map(|(used, price)| {
                let billed = if is_all { *used } else { (used - price.included).max(0.0) };
                billed * price.usd_a_million / 1e6
            })
            .sum()
    }

    /// A formula's price of all units but the log.
    fn list_price(&self, formula: &str) -> String {
        usd(self.price(&parts(self.usage(formula)).0, true))
    }

    fn bill(&self, case: &str, formula: &str) -> String {
        let (usage, log) = parts(self.usage(formula));
        let units: Vec<_> = usage[..LOG].iter().map(|used| format!("{:.2}", used / 1e6)).collect();
        let [list, bill, log] =
            [self.price(&usage, true), PLAN + self.price(&usage, false), self.price(&log, false)];
        format!("| {case} | {} | {list:.2} | {bill:.2} | {log:.2} |", units.join(" | "))
    }

    /// The page with its figures computed.
    fn page(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut head = "";
        for line in PAGE.lines() {
            if !line.starts_with('|') {
                head = "";
            }
            let heads = [BILLS, TRANSPORTS, READMES];
            head = heads.into_iter().find(|begin| line.starts_with(begin)).unwrap_or(head);
            let is_row = line.contains(" × ") || head == BILLS && !line.starts_with(BILLS);
            let mut row: Vec<String> = cells(line).into_iter().map(str::to_owned).collect();
            match head {
                BILLS if line.starts_with("|---") => {
                    lines.push(line.into());
                    let cases = table(CASES);
                    lines.extend(cases.iter().map(|case| self.bill(case[0], case[1])));
                    continue;
                }
                BILLS if is_row => continue,
                TRANSPORTS if is_row => {
                    row[2] = self.list_price(&row[1]);
                    row[4] = self.list_price(&row[3]);
                }
                READMES if is_row => row[3] = self.list_price(&row[2]),
                _ => {
                    lines.push(line.into());
                    continue;
                }
            }
            lines.push(format!("| {} |", row.join(" | ")));
        }
        lines.join("\n") + "\n"
    }
}

/// What is used without the log, and the log alone.
fn parts(usage: Usage) -> (Usage, Usage) {
    let is_log = |unit: usize| unit == LOG;
    let part = |wants_log| {
        std::array::from_fn(|unit| if is_log(unit) == wants_log { usage[unit] } else { 0.0 })
    };
    (part(false), part(true))
}

#[test]
fn every_figure_follows_from_prices_and_counts() {
    let file = Project::here().tests().join("bench/COST.md");
    expect_file![file].assert_eq(&Inputs::read().page());
}

#[test]
fn a_formula_is_a_sum_of_products() {
    let inputs = Inputs {
        prices: (0..UNITS).map(|_| Price { included: 1e6, usd_a_million: 2.0 }).collect(),
        operations: HashMap::from([
            ("read", [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0]),
            ("nap", [0.0, 0.0, 0.0, 1_000.0, 0.0, 0.0, 0.0]),
        ]),
    };
    let usage = inputs.usage("1,000 × 2,000 × read + 10 × nap");
    assert_eq!((usage[0], usage[LOG]), (2e6, 6e6));
    assert!((usage[AWAKE] - 1.28).abs() < 1e-9);
    assert_eq!(inputs.list_price("1,000 × 2,000 × read"), "4.00");
    assert_eq!(
        inputs.bill("b", "1,000 × 2,000 × read"),
        "| b | 2.00 | 0.00 | 0.00 | 0.00 | 0.00 | 0.00 | 4.00 | 7.00 | 10.00 |"
    );
    assert_eq!((usd(0.0994), usd(0.0996)), ("0.099".into(), "0.10".into()));
}

/// The amounts of a text, as it writes them.
fn amounts(text: &str) -> BTreeSet<&str> {
    let before: Vec<&str> = text.split(" USD").collect();
    let words =
        before[..before.len() - 1].iter().filter_map(|text| text.split([' ', '(']).next_back());
    words.collect()
}

#[test]
fn the_cost_that_a_readme_names_is_that_of_the_page() {
    let mut figures: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in table(READMES) {
        figures.entry(row[0]).or_default().insert(row[3]);
    }
    for Template { name, folder } in Template::all(&Project::here()).unwrap() {
        let readme = fs::read_to_string(folder.join("README.md")).unwrap();
        let (_, rest) = readme.split_once("\n**Cost** ").unwrap();
        let cost = rest.split("\n\n").next().unwrap_or_default();
        let expected = figures.remove(name.as_str()).unwrap_or_default();
        assert_eq!(amounts(cost), expected, "functions/{name}/README.md");
    }
    assert!(figures.is_empty(), "no template has these figures: {figures:?}");
}

#[test]
fn the_advice_has_the_figures_of_the_page() {
    for row in table(TRANSPORTS) {
        let line = format!("| {} | {} | {} |", row[0], row[2], row[4]);
        assert!(FUNCTIONS.contains(&line), "functions/README.md lacks the row\n{line}");
    }
}

#[test]
fn amounts_are_what_stands_before_the_dollars() {
    assert_eq!(amounts("a: 1.50 USD (0.30 USD the b), 2 c"), BTreeSet::from(["1.50", "0.30"]));
}
