//! The shape of functions and calls: sizes, parameters, literal arguments.

use std::collections::BTreeMap;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::source::{Source, for_tests_only};

/// A function as it is declared.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
    /// With `self`, as clippy counts.
    pub parameters: usize,
    /// Name and type of each parameter but `self`.
    pub inputs: Vec<(String, Kind)>,
}

/// What a parameter's type is, as far as literals are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Option,
    Other,
}

/// A call with arguments that are literals.
pub struct Call {
    pub name: String,
    pub line: usize,
    pub arguments: Vec<Literal>,
}

/// What an argument is, as far as it can be seen at the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Literal {
    Bool,
    None,
    EmptyText,
    Other,
}

/// What `source` declares and calls outside its tests.
#[derive(Default)]
pub struct Shape {
    pub functions: Vec<Function>,
    pub calls: Vec<Call>,
    /// Lines of `because: ""`.
    pub empty_reasons: Vec<usize>,
}

/// Reads the shape of a file that is no test.
pub fn shape(source: &Source) -> Shape {
    let mut shape = Shape::default();
    if !source.test_only {
        shape.visit_file(&source.file);
    }
    shape
}

/// The parameters of every function name that is declared once in the library.
pub fn declared_once(shapes: &[(&Source, Shape)]) -> BTreeMap<String, Vec<(String, Kind)>> {
    let mut by_name: BTreeMap<String, Vec<&Function>> = BTreeMap::new();
    for function in shapes.iter().flat_map(|(_, shape)| &shape.functions) {
        by_name.entry(function.name.clone()).or_default().push(function);
    }
    by_name
        .into_iter()
        .filter(|(_, found)| found.len() == 1)
        .map(|(name, found)| (name, found[0].inputs.clone()))
        .collect()
}

impl Shape {
    fn add(&mut self, signature: &syn::Signature, end: usize) {
        let line = signature.span().start().line;
        let inputs = signature.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Receiver(_) => None,
            syn::FnArg::Typed(typed) => {
                let name = match &*typed.pat {
                    syn::Pat::Ident(pattern) => pattern.ident.to_string(),
                    _ => String::new(),
                };
                Some((name, kind_of(&typed.ty)))
            }
        });
        self.functions.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end + 1 - line,
            parameters: signature.inputs.len(),
            inputs: inputs.collect(),
        });
    }
}

fn kind_of(ty: &syn::Type) -> Kind {
    let syn::Type::Path(path) = ty else { return Kind::Other };
    match path.path.segments.last().map(|s| s.ident.to_string()).as_deref() {
        Some("bool") => Kind::Bool,
        Some("Option") => Kind::Option,
        _ => Kind::Other,
    }
}

fn literal(argument: &syn::Expr) -> Literal {
    match argument {
        syn::Expr::Lit(value) => match &value.lit {
            syn::Lit::Bool(_) => Literal::Bool,
            syn::Lit::Str(text) if text.value().trim().is_empty() => Literal::EmptyText,
            _ => Literal::Other,
        },
        syn::Expr::Path(path) if path.path.is_ident("None") => Literal::None,
        _ => Literal::Other,
    }
}

impl<'a> Visit<'a> for Shape {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !for_tests_only(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        if !for_tests_only(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if !for_tests_only(&item.attrs) {
            self.add(&item.sig, item.block.span().end().line);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if !for_tests_only(&item.attrs) {
            self.add(&item.sig, item.block.span().end().line);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        self.add(&item.sig, item.span().end().line);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if let syn::Expr::Path(path) = &*call.func
            && let Some(last) = path.path.segments.last()
        {
            self.calls.push(Call {
                name: last.ident.to_string(),
                line: call.span().start().line,
                arguments: call.args.iter().map(literal).collect(),
            });
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.calls.push(Call {
            name: call.method.to_string(),
            line: call.method.span().start().line,
            arguments: call.args.iter().map(literal).collect(),
        });
        visit::visit_expr_method_call(self, call);
    }

    fn visit_field_value(&mut self, field: &'a syn::FieldValue) {
        let is_reason = matches!(&field.member, syn::Member::Named(name) if name == "because");
        if is_reason && literal(&field.expr) == Literal::EmptyText {
            self.empty_reasons.push(field.span().start().line);
        }
        visit::visit_field_value(self, field);
    }
}
