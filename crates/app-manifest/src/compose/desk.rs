//! Where an import keeps its variables and what it has to say.

use super::Remark;
use super::VARIABLES;
use super::interpolate::interpolate;
use super::yaml::Node;
use super::yaml::Value;
use std::collections::BTreeMap;

/// Most refusals and most notes that are told.
const MOST: usize = 200;

/// Place and node: where something is said.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    /// `services.web.ports[0]`.
    pub(super) place: &'a str,
    /// The node there.
    pub(super) node: &'a Node,
}

pub(super) struct Desk<'a> {
    variables: &'a BTreeMap<String, String>,
    refusals: Vec<Remark>,
    notes: Vec<Remark>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(variables: &'a BTreeMap<String, String>) -> Self {
        Self { variables, refusals: Vec::new(), notes: Vec::new() }
    }

    /// Refusals and notes.
    pub(super) fn outcome(self) -> (Vec<Remark>, Vec<Remark>) {
        (self.refusals, self.notes)
    }

    /// The import will be refused.
    pub(super) fn refuse(&mut self, at: At<'_>, words: impl Into<String>) {
        add(&mut self.refusals, at, words.into());
    }

    /// Something is left out or done otherwise.
    pub(super) fn note(&mut self, at: At<'_>, words: impl Into<String>) {
        add(&mut self.notes, at, words.into());
    }

    pub(super) fn value_of(&self, name: &str) -> Option<&str> {
        let usual = || VARIABLES.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        self.variables.get(name).map(String::as_str).or_else(usual)
    }

    /// A text with its variables put in; none if there is nothing. What cannot be read is refused.
    pub(super) fn text(&mut self, at: At<'_>) -> Option<String> {
        match &at.node.value {
            Value::Null => None,
            Value::Text(text) => match interpolate(text, &|name| self.value_of(name)) {
                Ok(text) => Some(text),
                Err(words) => {
                    self.refuse(at, words);
                    None
                }
            },
            Value::List(_) | Value::Map(_) => {
                self.refuse(at, "a text or a number belongs here");
                None
            }
        }
    }

    /// Texts of a list, or the only one, each with its place.
    pub(super) fn texts(&mut self, at: At<'_>) -> Vec<String> {
        match &at.node.value {
            Value::Null => Vec::new(),
            Value::Text(_) => self.text(at).into_iter().collect(),
            Value::List(items) => items
                .iter()
                .enumerate()
                .filter_map(|(number, node)| {
                    self.text(At { place: &format!("{}[{number}]", at.place), node })
                })
                .collect(),
            Value::Map(_) => {
                self.refuse(at, "a list belongs here");
                Vec::new()
            }
        }
    }

    /// True or false, as YAML 1.1 and 1.2 write it.
    pub(super) fn flag(&mut self, at: At<'_>) -> bool {
        match self.text(at).map(|text| text.to_lowercase()).as_deref() {
            Some("true" | "yes" | "on") => true,
            Some("false" | "no" | "off") | None => false,
            Some(_) => {
                self.refuse(at, "true or false belongs here");
                false
            }
        }
    }

    /// A number or a measure, read by `parse`; what it does not take is refused.
    pub(super) fn parsed<T>(
        &mut self,
        at: At<'_>,
        parse: impl Fn(&str) -> Option<T>,
        right: &str,
    ) -> Option<T> {
        let text = self.text(at)?;
        let value = parse(&text);
        if value.is_none() {
            self.refuse(at, format!("{:?} is not {right}", crate::text::beginning(&text)));
        }
        value
    }
}

fn add(remarks: &mut Vec<Remark>, at: At<'_>, words: String) {
    let remark = Remark { place: at.place.to_owned(), line: Some(at.node.line), words };
    if remarks.len() < MOST && !remarks.contains(&remark) {
        remarks.push(remark);
    }
}
