//! Opens the report of every fixture in a headless Chromium, at the widths of a phone and of a desk, light and dark.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may fail like tests")]

#[path = "../src/report/fixture/mod.rs"]
mod fixture;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokenmill::metrics::metric::Shape;
use tokenmill::report::{ComparisonPage, ReportInput, charts, comparison_page, page};
use tokenmill::study::compare::{Comparison, Variant};
use tokenmill::study::{Balance, Outcome, Requests};
use tokenmill::{cluster, metrics, units};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const WIDTHS: [u32; 4] = [320, 390, 768, 1600];

/// Runs before anything else of the page: collects what goes wrong.
const COLLECT: &str = r#"<script>
window.wrong = [];
addEventListener("error", (event) => wrong.push("error: " + event.message));
addEventListener("unhandledrejection", (event) => wrong.push("rejection: " + event.reason));
addEventListener("securitypolicyviolation", (event) => wrong.push("blocked: " + event.blockedURI + " by " + event.violatedDirective));
for (const level of ["error", "warn"]) console[level] = (...words) => wrong.push(level + ": " + words.join(" "));
</script>"#;

/// Runs when the page has loaded: measures, moves a pointer, reports to the page around the frame.
const MEASURE: &str = r##"<script>
addEventListener("load", () => {
  const name = (e) => e.tagName + (e.id ? "#" + e.id : "") + "." + (e.getAttribute("class") || "") + " '" + e.textContent.trim().slice(0, 30) + "'";
  const visible = (e) => e.getClientRects().length > 0;
  const inside = (e) => e.closest(".scroll") !== null;
  const cut = [];
  for (const e of document.body.querySelectorAll("*")) {
    if (!visible(e) || inside(e) || e.closest("#tip, defs, clipPath, .series")) continue;
    const box = e.getBoundingClientRect();
    if (box.right > innerWidth + 1 || box.left < -1) cut.push(name(e) + " reaches " + Math.round(box.left) + " to " + Math.round(box.right));
    if (e instanceof HTMLElement && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline" && e.clientWidth > 0) cut.push(name(e) + " is wider than its box");
  }
  const overlaps = [];
  let charts = 0;
  for (const svg of document.querySelectorAll("svg.chart")) {
    if (!visible(svg)) continue;
    charts++;
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((e) => [e, e.getBBox(), e.getBoundingClientRect()]);
    for (const [e, , box] of texts) {
      if (box.top < frame.top - 1 || box.bottom > frame.bottom + 1 || box.right > frame.right + 1 || box.left < frame.left - 1) cut.push(name(e) + " leaves its chart");
    }
    for (let i = 0; i < texts.length; i++) for (let k = 0; k < i; k++) {
      const [a, b] = [texts[i][1], texts[k][1]];
      const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
      const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
      if (wide > 2 && high > a.height / 3) overlaps.push(name(texts[i][0]) + " covers " + name(texts[k][0]));
    }
  }
  const channels = (text) => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const pale = [];
  for (const e of document.body.querySelectorAll("main *")) {
    const own = [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !visible(e) || e.closest("svg")) continue;
    let back = null;
    for (let up = e; up && !back; up = up.parentElement) {
      const colour = channels(getComputedStyle(up).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) back = colour;
    }
    const [a, b] = [light(channels(getComputedStyle(e).color)), light(back)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) pale.push(name(e) + " has a contrast of " + contrast.toFixed(2));
  }
  const tips = [];
  const tip = document.getElementById("tip");
  for (const svg of document.querySelectorAll("svg.chart")) {
    if (!visible(svg) || svg.closest("#shares, #differences")) continue;
    const box = svg.getBoundingClientRect();
    const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height * 0.6, pointerType: "mouse", bubbles: true };
    svg.dispatchEvent(new PointerEvent("pointermove", at));
    tips.push(tip.hidden ? "" : tip.textContent);
    if (tip.getBoundingClientRect().right > innerWidth + 1) cut.push("the tip leaves the window");
    svg.dispatchEvent(new PointerEvent("pointerdown", at));
    const to = { ...at, clientX: at.clientX + box.width / 5 };
    svg.dispatchEvent(new PointerEvent("pointermove", to));
    svg.dispatchEvent(new PointerEvent("pointerup", to));
    for (const key of svg.querySelectorAll(".key")) key.dispatchEvent(new MouseEvent("click"));
    svg.dispatchEvent(new PointerEvent("pointerleave"));
  }
  const requests = performance.getEntriesByType("resource").map((entry) => entry.name).filter((url) => !url.startsWith("data:"));
  const report = { run: RUN, width: innerWidth, page: document.documentElement.scrollWidth, dark: matchMedia("(prefers-color-scheme: dark)").matches,
    wrong, cut, overlaps, pale, charts, tips, requests, injected: document.querySelectorAll("main script").length };
  parent.postMessage(report, "*");
});
</script>"##;

/// Holds the frames and writes down what they report, as text that survives being dumped as markup.
const AROUND: &str = r#"<script>
const reports = [];
addEventListener("message", (event) => {
  reports.push(event.data);
  const text = JSON.stringify(reports).replace(/[<>&\u00a0-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  document.getElementById("reports").textContent = text;
});
</script><pre id="reports"></pre>"#;

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    BROWSERS.iter().flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// The page with our scripts around its content.
fn instrumented(html: &str, run: &str) -> String {
    let html = html.replacen("<head>", &format!("<head>{COLLECT}"), 1);
    let measure = MEASURE.replace("RUN", &format!("{run:?}"));
    format!("{html}{measure}")
}

/// Writes a page, and a frame of each width into the page around them.
fn add_page(folder: &Path, around: &mut String, name: &str, html: &str) {
    std::fs::write(folder.join(format!("{name}.html")), instrumented(html, name)).unwrap();
    for width in WIDTHS {
        writeln!(around, "<iframe src=\"{name}.html\" width=\"{width}\" height=\"900\" style=\"border:0;display:block\"></iframe>")
            .unwrap();
    }
}

/// Two variants over three seeds, and seven with names that break pages, with one run each.
fn comparisons() -> Vec<(&'static str, Comparison)> {
    let balance =
        |pools: [f64; 4]| vec![Balance { pool: "prefill".to_owned(), mean: pools.iter().sum::<f64>() / 4.0, tokens: pools.to_vec() }];
    let variant = |name: &str, result: &metrics::RunResult, runs: usize| {
        let run = Arc::new(Outcome::new(result.clone(), Requests::default(), balance([1e6, 2e6, 2e6, 3e6])));
        Variant { name: name.to_owned(), shape: Shape::of(&result.summary), draws: true, runs: vec![run; runs] }
    };
    let two = [variant("router=round-robin", &fixture::two_pools(), 3), variant("router=prefix-hit", &fixture::missed(), 3)];
    let long = "a variant with a name that goes on and on for longer than any line";
    let many: Vec<Variant> = ["<script>alert(1)</script>", long, "\u{1b}[31m", "ütf-8 ½", "a&b", "\"quotes\"", "seventh"]
        .iter()
        .enumerate()
        .map(|(i, name)| variant(name, &if i % 2 == 0 { fixture::two_pools() } else { fixture::missed() }, 1))
        .collect();
    vec![("compared", Comparison::new(&two, vec![1, 2, 3])), ("hostile-variants", Comparison::new(&many, vec![1]))]
}

/// Writes the pages and the page around them; returns the latter.
fn write_pages(folder: &Path) -> PathBuf {
    let mut around = format!("<!DOCTYPE html><meta charset=utf-8>{AROUND}");
    for (name, result) in fixture::all() {
        let charts = charts(&result).unwrap();
        let html = page(ReportInput {
            result: &result,
            charts: &charts,
            scenario_yaml: "name: sample\nseed: 7\n",
            rows: metrics::RowChoice::default(),
            rows_gzip: false,
            version: "0.0.0",
        })
        .unwrap();
        add_page(folder, &mut around, name, &html);
    }
    for (name, comparison) in comparisons() {
        let html = comparison_page(ComparisonPage { comparison: &comparison, scenario: "sample", version: "0.0.0" }).unwrap();
        add_page(folder, &mut around, name, &html);
    }
    let file = folder.join("around.html");
    std::fs::write(&file, around).unwrap();
    file
}

/// What the frames report in one colour scheme.
fn reports(browser: &Path, folder: &Path, file: &Path, dark: bool) -> Vec<Value> {
    let dump = folder.join(if dark { "dark.txt" } else { "light.txt" });
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"]);
    command.args(["--window-size=1700,1000", "--virtual-time-budget=20000", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", folder.join(format!("profile-{dark}")).display()));
    command.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)));
    command.arg(format!("file://{}", file.display()));
    let mut child = command.stdout(std::fs::File::create(&dump).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let mut patience = 1200;
    while child.try_wait().unwrap().is_none() {
        patience -= 1;
        if patience == 0 {
            child.kill().unwrap();
            panic!("the browser did not finish within two minutes");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let text = std::fs::read_to_string(&dump).unwrap();
    let json =
        text.split_once("<pre id=\"reports\">").and_then(|(_, rest)| rest.split_once("</pre>")).expect("the frames reported nothing").0;
    serde_json::from_str(json).expect("reports are JSON")
}

fn check(report: &Value, dark: bool) -> Vec<String> {
    let run = report["run"].as_str().unwrap();
    let at = format!("{run} at {} pixels, {}", report["width"], if dark { "dark" } else { "light" });
    let mut faults = Vec::new();
    let mut fault = |what: String| faults.push(format!("{at}: {what}"));
    if report["dark"] != dark {
        fault("the other colour scheme".to_owned());
    }
    if report["page"].as_u64() > report["width"].as_u64() {
        fault(format!("the page is {} pixels wide", report["page"]));
    }
    // Invented names are long enough to meet their neighbours; what has to hold for them is that nothing is cut.
    let lists: &[&str] =
        if run.starts_with("hostile") { &["wrong", "requests", "cut", "pale"] } else { &["wrong", "requests", "cut", "pale", "overlaps"] };
    for list in lists {
        for entry in report[list].as_array().unwrap().iter().take(5) {
            fault(format!("{list}: {entry}"));
        }
    }
    let charts = report["charts"].as_u64().unwrap();
    let expected = match run {
        "nothing-completed" => 2,
        "one-request" => 7,
        "compared" | "hostile-variants" => 6,
        _ => 8,
    };
    if charts != expected {
        fault(format!("{charts} of {expected} charts are visible"));
    }
    for tip in report["tips"].as_array().unwrap() {
        let text = tip.as_str().unwrap();
        if !text.starts_with("at ") || text.contains("NaN") || text.contains("undefined") {
            fault(format!("a pointer over a chart shows {text:?}"));
        }
    }
    if report["injected"] != 0 {
        fault("a name became a script".to_owned());
    }
    faults
}

#[test]
fn the_report_opens_without_errors_or_requests_and_nothing_is_cut_off() {
    let Some(browser) = browser() else {
        println!("skipped: none of {BROWSERS:?} is installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = write_pages(folder.path());
    let mut faults = Vec::new();
    for dark in [false, true] {
        let reports = reports(&browser, folder.path(), &file, dark);
        assert_eq!(reports.len(), (fixture::all().len() + comparisons().len()) * WIDTHS.len(), "every frame reports once");
        faults.extend(reports.iter().flat_map(|report| check(report, dark)));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
