package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A repo is the git repository that a folder lies in.
type repo struct {
	root string // of the tree
	dir  string // the folder
}

func openRepo(ctx context.Context, dir string) (repo, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return repo{}, err
	}
	r := repo{root: dir, dir: dir}
	root, err := r.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return repo{}, fmt.Errorf("%s is in no git repository, and without one there is nothing to compare with: %w", dir, err)
	}
	r.root, err = filepath.EvalSymlinks(filepath.FromSlash(root))
	return r, err
}

// git runs git in the repository, and returns what it said without the newline.
func (r repo) git(ctx context.Context, args ...string) (string, error) {
	return output(ctx, r.dir, "git", args...)
}

// commit is the short name of a base. None is the last commit, or the one before
// if the tree is the last.
func (r repo) commit(ctx context.Context, base string) (string, error) {
	if base == "" {
		changes, err := r.git(ctx, "status", "--porcelain")
		if err != nil {
			return "", err
		}
		if base = "HEAD"; changes == "" {
			base = "HEAD~1"
		}
	}
	name, err := r.git(ctx, "rev-parse", "--short", "--verify", "--quiet", base+"^{commit}")
	if err == nil {
		return name, nil
	}
	if shallow, _ := r.git(ctx, "rev-parse", "--is-shallow-repository"); shallow == "true" { // if even this fails, it is not that
		return "", fmt.Errorf("there is no commit %s here: this clone is shallow, and git fetch --unshallow brings what is missing", base)
	}
	return "", fmt.Errorf("there is no commit %s here: name another with -base", base)
}

// checkout makes a worktree of a commit.
func (r repo) checkout(ctx context.Context, commit, tree string) error {
	if _, err := r.git(ctx, "worktree", "add", "--quiet", "--detach", tree, commit); err != nil {
		return fmt.Errorf("checking out %s: %w", commit, err)
	}
	return nil
}

// remove undoes checkout, if anything came of it, and when the ctx of the rest is
// done, too. It leaves other worktrees alone.
func (r repo) remove(tree string) error {
	if _, err := os.Stat(tree); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := r.git(context.Background(), "worktree", "remove", "--force", "--force", tree); err != nil {
		return fmt.Errorf("removing the worktree %s: %w", tree, err)
	}
	return nil
}

// output runs a command in a folder. Its error is what the command said.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return "", cause
	}
	if text := strings.TrimSpace(said.String() + out.String()); err != nil && text != "" {
		return "", errors.New(text)
	}
	return strings.TrimSpace(out.String()), err
}
