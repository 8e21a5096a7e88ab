package pki

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// The layout of an encrypted PKCS #8 key with PBES2 (RFC 5958, RFC 8018).
type (
	encryptedKey struct {
		Algo pbes2
		Data []byte
	}
	pbes2 struct {
		ID     asn1.ObjectIdentifier
		Params struct {
			KDF    kdf
			Cipher cipherID
		}
	}
	kdf struct {
		ID     asn1.ObjectIdentifier
		Params struct {
			Salt   []byte
			Rounds int
			Hash   pkix.AlgorithmIdentifier
		}
	}
	cipherID struct {
		ID asn1.ObjectIdentifier
		IV []byte
	}
)

// EncryptedKeyPEM is the key in PKCS #8 behind a password: PBKDF2 with SHA-256,
// AES-256 in CBC, as openssl genpkey -aes256 makes it.
func (c *Cert) EncryptedKeyPEM(password string) []byte {
	const rounds = 2048
	salt, iv := stream("salt", 16), stream("iv", aes.BlockSize)
	key := must(pbkdf2.Key(sha256.New, password, salt, rounds, 32))
	data := c.KeyDER()
	pad := aes.BlockSize - len(data)%aes.BlockSize
	for range pad {
		data = append(data, byte(pad))
	}
	cipher.NewCBCEncrypter(must(aes.NewCipher(key)), iv).CryptBlocks(data, data)

	var info encryptedKey
	info.Data = data
	info.Algo.ID = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	info.Algo.Params.KDF.ID = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	info.Algo.Params.KDF.Params.Salt = salt
	info.Algo.Params.KDF.Params.Rounds = rounds
	info.Algo.Params.KDF.Params.Hash = pkix.AlgorithmIdentifier{
		Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9},
		Parameters: asn1.NullRawValue,
	}
	info.Algo.Params.Cipher = cipherID{ID: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, IV: iv}
	return block("ENCRYPTED PRIVATE KEY", must(asn1.Marshal(info)))
}
