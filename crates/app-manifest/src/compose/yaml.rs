//! A bounded tree of YAML 1.2: texts, lists and maps with their lines.
//!
//! Made of the parser's events, because an alias is then a copy that counts: a few lines of aliases of aliases would be
//! gigabytes otherwise. Scalars stay texts: `1.10` and `0755` are what was written.

use super::ComposeError;
use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::Span;
use saphyr_parser::Tag;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Most nodes of a document, copies by aliases included.
const MAX_NODES: usize = 20_000;
/// Most bytes of texts, likewise.
const MAX_TEXT: usize = 1 << 20;
/// Deepest nesting.
const MAX_DEPTH: usize = 24;

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Its line, from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A text, a number, true or false: as it was written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Entries, if it is a map.
    pub(super) fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Text(_) | Value::List(_) => &[],
        }
    }

    /// Items, if it is a list.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Null | Value::Text(_) | Value::Map(_) => &[],
        }
    }

    /// The entry of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Nothing, `false`, or an empty text, list or map: what asks for nothing.
    pub(super) fn is_nothing(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Text(text) => text.is_empty() || text == "false",
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
        }
    }
}

/// Something that was begun and is not at its end.
enum Open {
    List { anchor: usize, line: usize, items: Vec<Node> },
    Map { anchor: usize, line: usize, entries: Vec<(String, Node)>, key: Option<String>, merged: Vec<Node> },
}

#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
    text: usize,
}

/// Reads one document.
///
/// # Errors
/// Says where it is not YAML, or more than is taken.
pub(super) fn read(text: &str) -> Result<Node, ComposeError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| ComposeError::Yaml {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            what: format!("this is no YAML: {}", error.info()),
        })?;
        builder.take(event, &span).map_err(|what| ComposeError::Yaml {
            line: span.start.line(),
            column: span.start.col() + 1,
            what,
        })?;
    }
    builder.root.ok_or_else(|| ComposeError::Yaml {
        line: 1,
        column: 1,
        what: "the file is empty".to_owned(),
    })
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), String> {
        let line = span.start.line();
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err("a second document begins; one is taken".to_owned())
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => {
                let copy = self.anchors.get(&anchor).cloned().ok_or("this alias is within what it names")?;
                self.count(&copy)?;
                self.put(copy)
            }
            Event::Scalar(text, style, anchor, tag) => {
                is_known(tag.as_ref())?;
                let is_null = style == ScalarStyle::Plain
                    && tag.is_none()
                    && ["", "~", "null", "Null", "NULL"].contains(&text.as_ref());
                let value = if is_null { Value::Null } else { Value::Text(text.into_owned()) };
                let node = Node { line, value };
                self.count(&node)?;
                self.close(anchor, node)
            }
            Event::SequenceStart(anchor, tag) => {
                is_known(tag.as_ref())?;
                self.open(Open::List { anchor, line, items: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                is_known(tag.as_ref())?;
                self.open(Open::Map { anchor, line, entries: Vec::new(), key: None, merged: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open::List { anchor, line, items }) => {
                    self.close(anchor, Node { line, value: Value::List(items) })
                }
                Some(Open::Map { anchor, line, mut entries, merged, .. }) => {
                    merge(&mut entries, merged)?;
                    self.close(anchor, Node { line, value: Value::Map(entries) })
                }
                None => Err("something ends that was not begun".to_owned()),
            },
        }
    }

    fn open(&mut self, open: Open) -> Result<(), String> {
        self.nodes += 1;
        if self.stack.len() >= MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        self.stack.push(open);
        Ok(())
    }

    /// Counts a node and all below it against the limits.
    fn count(&mut self, node: &Node) -> Result<(), String> {
        self.nodes += 1;
        match &node.value {
            Value::Null => {}
            Value::Text(text) => self.text += text.len(),
            Value::List(items) => items.iter().try_for_each(|item| self.count(item))?,
            Value::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                self.text += key.len();
                self.count(value)
            })?,
        }
        if self.nodes > MAX_NODES || self.text > MAX_TEXT {
            return Err(format!("with its aliases it has more than {MAX_NODES} parts or {MAX_TEXT} bytes"));
        }
        Ok(())
    }

    fn close(&mut self, anchor: usize, node: Node) -> Result<(), String> {
        // 0 is no anchor.
        if anchor != 0 {
            self.count(&node)?;
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), String> {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, merged, .. }) => match (key.take(), node.value) {
                (Some(name), value) if name == "<<" => merged.push(Node { line: node.line, value }),
                (Some(name), value) => entries.push((name, Node { line: node.line, value })),
                (None, Value::Text(name)) if entries.iter().any(|(known, _)| *known == name) => {
                    return Err(format!("the key {:?} is there twice", crate::text::beginning(&name)));
                }
                (None, Value::Text(name)) => *key = Some(name),
                (None, Value::Null | Value::List(_) | Value::Map(_)) => {
                    return Err("a key is a text".to_owned());
                }
            },
        }
        Ok(())
    }
}

/// Tags of YAML itself say nothing new; others change what a key means.
fn is_known(tag: Option<&Cow<'_, Tag>>) -> Result<(), String> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => {
            Err(format!("the tag {}{} is not understood", tag.handle, tag.suffix))
        }
        _ => Ok(()),
    }
}

/// `<<`: entries of other maps, where there are none of that name.
fn merge(entries: &mut Vec<(String, Node)>, merged: Vec<Node>) -> Result<(), String> {
    for node in merged {
        let maps = match node.value {
            Value::Map(map) => vec![map],
            Value::List(items) => {
                let map = |item: Node| match item.value {
                    Value::Map(map) => Ok(map),
                    Value::Null | Value::Text(_) | Value::List(_) => Err("<< takes maps"),
                };
                items.into_iter().map(map).collect::<Result<_, _>>()?
            }
            Value::Null | Value::Text(_) => return Err("<< takes maps".to_owned()),
        };
        for (key, value) in maps.into_iter().flatten() {
            if !entries.iter().any(|(known, _)| *known == key) {
                entries.push((key, value));
            }
        }
    }
    Ok(())
}
