/**
 * What must hold of the sources of the page: nothing inline, nothing from elsewhere, no way for
 * text to become markup, and every element that a module asks for there.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('../../../src/dashboard/', import.meta.url);
const names = readdirSync(folder);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const html = read('index.html');
const modules = names.filter(name => name.endsWith('.ts'));
const styles = names.filter(name => name.endsWith('.css'));
const attributes = (name: string): string[] =>
  [...html.matchAll(new RegExp(`\\s${name}="([^"]*)"`, 'g'))].map(match => match[1]!);

test('text becomes markup nowhere', () => {
  const ways =
    /innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\b|new Function|javascript:/;
  expect(modules.length).toBeGreaterThan(10);
  expect(modules.filter(name => ways.test(read(name)))).toEqual([]);
});

test('the page has nothing inline that the policy would stop', () => {
  expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  expect(html).not.toMatch(/<script[^>]*>[^<]/);
});

test('the page and its styles load nothing from elsewhere', () => {
  const links = [...attributes('src'), ...attributes('href')];
  for (const link of links) expect(link).toMatch(/^(\/dashboard\/[\w.-]+|#\/)$/);
  for (const name of styles) expect(read(name)).not.toMatch(/url\(|@import/);
  for (const name of modules) expect(read(name)).not.toMatch(/https?:\/\//);
});

test('every file that the page names is there', () => {
  const files = [...attributes('src'), ...attributes('href')]
    .filter(link => link.startsWith('/dashboard/'))
    .map(link => link.replace('/dashboard/', '').replace(/\.js$/, '.ts'));
  expect(files).toContain('main.ts');
  expect(files.filter(file => !names.includes(file))).toEqual([]);
  expect(styles.filter(style => !files.includes(style))).toEqual([]);
});

test('every element that a module asks for is on the page, once', () => {
  const ids = attributes('id');
  expect(new Set(ids).size).toBe(ids.length);
  const wanted = modules.flatMap(name =>
    [...read(name).matchAll(/(?:byId|tile)\(\s*'([^']+)'/g)].map(match => match[1]!),
  );
  expect(wanted.length).toBeGreaterThan(30);
  expect(wanted.filter(id => !ids.includes(id))).toEqual([]);
});

test('every label and title that an element points at is there', () => {
  const ids = attributes('id');
  const pointed = [...attributes('aria-labelledby'), ...attributes('for')];
  expect(pointed.length).toBeGreaterThan(5);
  expect(pointed.filter(id => !ids.includes(id))).toEqual([]);
});

test('a token goes to the session of the tab and to no address, cookie or lasting store', () => {
  for (const name of modules)
    expect(read(name)).not.toMatch(/localStorage|document\.cookie|indexedDB/);
  // A field without a name is not sent, even by a form whose module did not load.
  expect(html.match(/<input[^>]*id="token"[^>]*>/)?.[0]).not.toMatch(/\sname=/);
});
