package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spanprobe/spanprobe/testbed/demo/shop/internal/serve"
)

// maxAnswer bounds what the catalogue may answer, in bytes.
const maxAnswer = 1 << 20

var errNoProduct = errors.New("no such product")

// catalogue is the HTTP service of that name.
type catalogue struct {
	url    string
	client *http.Client
}

func newCatalogue(url string) catalogue {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	return catalogue{url: url, client: client}
}

// list returns the products of a category, or all for "".
func (c catalogue) list(ctx context.Context, category string) (all []serve.Product, err error) {
	query := ""
	if category != "" {
		query = "?" + url.Values{"category": {category}}.Encode()
	}
	return all, c.get(ctx, "/products"+query, &all)
}

// product returns errNoProduct for one that does not exist.
func (c catalogue) product(ctx context.Context, id string) (found serve.Product, err error) {
	return found, c.get(ctx, "/products/"+url.PathEscape(id), &found)
}

func (c catalogue) get(ctx context.Context, target string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+target, nil)
	if err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	// To its end, so that the connection is used again.
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return err
	case response.StatusCode == http.StatusNotFound:
		return errNoProduct
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("the catalogue answers %s", response.Status)
	}
	return json.Unmarshal(body, answer)
}
