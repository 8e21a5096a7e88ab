module github.com/coppice-go/coppice/examples

go 1.26

require github.com/coppice-go/coppice v0.0.0

replace github.com/coppice-go/coppice => ../
