use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use super::{Kind, Span, StatusCode};

/// A trace as text: one span a line, children under their parents in the order of their beginning.
///
/// ```text
/// edge-0 SERVER POST /mcp
///   edge-0 SERVER tools/call echo
///     edge-0 CLIENT everything.feature.v1.FeatureService/CallTool
/// ```
///
/// A failed span ends in `!` and its `error.type`, a link in `~` and the name of the span that it leads to. Spans whose
/// parent is not there (it is in another process that exports nothing, such as the client) stand at the top. Tries of one
/// RPC that reached nobody are one line: how many there are depends on when it is noticed that nobody is there.
#[derive(Clone, Debug)]
pub struct Tree(String);

/// How the line of an RPC that reached nobody ends.
const UNREACHED: &str = " ! UNAVAILABLE\n";

impl Tree {
    /// `show` says which spans are part of it; the children of one that is not take its place.
    pub fn of(spans: &[Span], trace_id: &str, show: impl Fn(&Span) -> bool) -> Self {
        let names: HashMap<(&str, &str), &str> = spans
            .iter()
            .map(|span| ((&*span.trace_id, &*span.span_id), &*span.name))
            .collect();
        let of_trace: Vec<&Span> = spans.iter().filter(|span| span.trace_id == trace_id).collect();
        let ids: HashSet<&str> = of_trace.iter().map(|span| &*span.span_id).collect();
        let mut children: HashMap<&str, Vec<&Span>> = HashMap::new();
        for span in &of_trace {
            let parent = if ids.contains(&*span.parent_id) {
                &*span.parent_id
            } else {
                ""
            };
            children.entry(parent).or_default().push(span);
        }
        let mut text = String::new();
        let mut open: Vec<(usize, &Span)> = Vec::new();
        let push = |open: &mut Vec<_>, parent: &str, depth| {
            let mut of_parent = children.get(parent).cloned().unwrap_or_default();
            of_parent.sort_by_key(|span| span.start_ns);
            open.extend(of_parent.into_iter().rev().map(|span| (depth, span)));
        };
        push(&mut open, "", 0);
        while let Some((depth, span)) = open.pop() {
            if !show(span) {
                push(&mut open, &span.span_id, depth);
                continue;
            }
            let line = format!("{}{}\n", "  ".repeat(depth), line(span, &names));
            if !(line.ends_with(UNREACHED) && text.ends_with(&line)) {
                text.push_str(&line);
            }
            push(&mut open, &span.span_id, depth + 1);
        }
        Self(text)
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn line(span: &Span, names: &HashMap<(&str, &str), &str>) -> String {
    let kind = match span.kind {
        Kind::Server => "SERVER",
        Kind::Client => "CLIENT",
        Kind::Producer => "PRODUCER",
        Kind::Consumer => "CONSUMER",
        Kind::Internal => "INTERNAL",
        Kind::Unspecified => "UNSPECIFIED",
    };
    let mut line = format!("{} {kind} {}", span.instance, span.name);
    if span.status == StatusCode::Error {
        line.push_str(&format!(" ! {}", span.attribute("error.type")));
    }
    for link in &span.links {
        let name = names.get(&(&*link.trace_id, &*link.span_id));
        line.push_str(&format!(" ~ {}", name.unwrap_or(&"a span from outside")));
    }
    line
}

/// Both texts, line by line: `-` was expected and is missing, `+` is there and was not expected.
pub fn difference(expected: &str, seen: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), seen.lines().collect());
    // Lengths of the longest common subsequences of what follows each pair of lines.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut text = String::new();
    while i < old.len() || j < new.len() {
        let same = i < old.len() && j < new.len() && old[i] == new[j];
        let (mark, line) = if same {
            (i, j) = (i + 1, j + 1);
            (' ', old[i - 1])
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', old[i - 1])
        } else {
            j += 1;
            ('+', new[j - 1])
        };
        text.push_str(&format!("{mark} {line}\n"));
    }
    text
}

/// An indented text of a test, moved to the left margin, without empty lines.
pub(super) fn unindented(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines
        .iter()
        .map(|line| line.len() - line.trim_start().len())
        .min();
    let margin = margin.unwrap_or_default();
    lines
        .iter()
        .map(|line| format!("{}\n", line[margin..].trim_end()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_missing_and_what_is_new() {
        assert_eq!(difference("a\nb\nc\n", "a\nc\nd\n"), "  a\n- b\n  c\n+ d\n");
    }

    #[test]
    fn the_margin_of_a_text_does_not_count() {
        assert_eq!(unindented("\n    a\n      b\n    c\n  "), "a\n  b\nc\n");
    }
}
