package main

import (
	"slices"
	"strings"
	"time"
)

// A size says how much is measured.
type size struct {
	name   string
	rounds int
	// budget is how long a peer may take for a workload, all rounds together;
	// then there is no further round for it. A slow one has fewer.
	budget time.Duration
	limit  time.Duration // of one run
	sizes  map[string]counts
}

// counts are a workload's sizes: see work.Workloads.
type counts struct {
	N int `json:"n,omitempty"`
	K int `json:"k,omitempty"`
}

var full = map[string]counts{
	"spawn":        {N: 100_000},
	"idle":         {N: 100_000},
	"send 1-1":     {K: 1_000_000},
	"send 2-1":     {K: 1_000_000},
	"send 2-8":     {K: 1_000_000},
	"call":         {K: 100_000},
	"pingpong":     {N: 1000, K: 200},
	"deep":         {N: 1000, K: 100},
	"block":        {N: 1000, K: 20},
	"spin":         {K: 2000},
	"restart":      {N: 10, K: 2000},
	"restart many": {N: 10_000, K: 2000},
	"burst":        {N: 10_000, K: 1000},
	"tree":         {N: 100_000},
	"monitor":      {N: 10_000},
	"name":         {N: 20_000, K: 500_000},
	"timer":        {N: 100_000, K: 200},
	"million":      {N: 1_000_000},
	"million tree": {N: 1_000_000},
}

var sizes = []size{
	{"tiny", 1, time.Second, 30 * time.Second, map[string]counts{
		"spawn":        {N: 500},
		"idle":         {N: 500},
		"send 1-1":     {K: 10_000},
		"send 2-1":     {K: 10_000},
		"send 2-8":     {K: 10_000},
		"call":         {K: 500},
		"pingpong":     {N: 50, K: 20},
		"deep":         {N: 50, K: 10},
		"block":        {N: 100, K: 2},
		"spin":         {K: 50},
		"restart":      {N: 10, K: 50},
		"restart many": {N: 200, K: 50},
		"burst":        {N: 200, K: 50},
		"tree":         {N: 500},
		"monitor":      {N: 200},
		"name":         {N: 200, K: 1000},
		"timer":        {N: 200, K: 10},
		"million":      {N: 1000},
		"million tree": {N: 1000},
	}},
	{"small", 3, time.Second, 20 * time.Second, map[string]counts{
		"spawn":        {N: 10_000},
		"idle":         {N: 10_000},
		"send 1-1":     {K: 200_000},
		"send 2-1":     {K: 200_000},
		"send 2-8":     {K: 200_000},
		"call":         {K: 10_000},
		"pingpong":     {N: 1000, K: 20},
		"deep":         {N: 1000, K: 10},
		"block":        {N: 1000, K: 10},
		"spin":         {K: 500},
		"restart":      {N: 10, K: 500},
		"restart many": {N: 10_000, K: 500},
		"burst":        {N: 10_000, K: 1000},
		"tree":         {N: 10_000},
		"monitor":      {N: 10_000},
		"name":         {N: 10_000, K: 50_000},
		"timer":        {N: 10_000, K: 100},
	}},
	{"two", 3, 1200 * time.Millisecond, 30 * time.Second, full},
	{"night", 11, time.Hour, 3 * time.Minute, full},
}

// skips says why a peer is left out of a workload, in sizes of which it would
// take too much.
func (s size) skips(p peer, work string) string {
	switch {
	case p.only != nil && !slices.Contains(p.only, work):
		return "it differs elsewhere"
	case strings.HasPrefix(work, "million") && s.name == "two" && p.role != own:
		return "it takes too long for this size"
	case strings.HasPrefix(work, "million") && s.name == "night" && (p.dir == "ergo" || p.dir == "hollywood"):
		return "it would take more than 20 GB"
	}
	return ""
}
